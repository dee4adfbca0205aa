"""Time stamps of authorities (RFC 3161), and the certificates behind them."""
