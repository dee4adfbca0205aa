"""The cookies that people's browsers have of the platform.

A node takes them out of requests before a model sees them: where both are reached at one host a
browser sends them to either, since cookies know no ports (RFC 6265, section 8.5).
"""

SESSION, CSRF = "placet_session", "placet_csrf"
# Over TLS: for the host itself alone, and set by nobody but it (RFC 6265bis, section 4.1.3.2).
HOST = "__Host-"
