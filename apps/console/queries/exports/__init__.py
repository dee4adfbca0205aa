"""Every list as a table: the rows that its page shows, all of them, for who may see them."""

from apps.console.queries.exports import access, governed, log, registered, served
from apps.console.queries.tables import ListTable

TABLES: dict[str, ListTable] = {
    **registered.TABLES,
    **governed.TABLES,
    **served.TABLES,
    **log.TABLES,
    **access.TABLES,
}
