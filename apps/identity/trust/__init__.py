"""What of people is signed or vouched for: passkeys of approvers, positions, the log's word."""
