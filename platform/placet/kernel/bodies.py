"""What views and the server must agree on about bodies."""

# Of an upload's chunk: it may be as long as a file, and goes on from where it was cut. No other
# body counts before all of it came.
CHUNK_TYPE = "application/offset+octet-stream"
