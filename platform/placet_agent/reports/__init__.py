"""What a node sees and says: reports, receipts, counted requests, captured predictions."""
