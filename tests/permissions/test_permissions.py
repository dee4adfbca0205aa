"""Every route × method has a row in the table that was written by hand, and every row a route."""

from tests.permissions.table import routes, rows


def test_every_route_and_method_has_a_row() -> None:
    table = rows()
    missing = [
        f"{method} {route}"
        for method, route in sorted(routes(), key=lambda r: (r[1], r[0]))
        if not any(row.covers(method, route) for row in table)
    ]
    assert not missing, "no row in table.txt for:\n" + "\n".join(missing)


def test_every_row_has_a_route_and_stands_once() -> None:
    there, seen = routes(), set()
    for row in rows():
        assert (row.method, row.route) not in seen, f"table.txt:{row.line} stands twice"
        seen.add((row.method, row.route))
        covered = any(row.covers(method, route) for method, route in there)
        assert covered, f"table.txt:{row.line}: there is no {row.method} {row.route}"
