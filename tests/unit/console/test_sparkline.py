"""The small charts of a list of endpoints: requests by minute, and who has which share."""

from apps.console.charts import SPARK_HEIGHT, SPARK_WIDTH, sparkline, split_bar


def test_a_sparkline_is_as_high_as_its_most() -> None:
    spark = sparkline([0, 30, 60])
    assert spark.line == f"0.0,{SPARK_HEIGHT - 1}.0 48.0,13.0 {SPARK_WIDTH}.0,1.0"
    assert spark.area == f"0,{SPARK_HEIGHT} {spark.line} {SPARK_WIDTH},{SPARK_HEIGHT}"
    assert spark.words == "90 requests in the last hour, at most 60 a minute"


def test_nothing_is_a_flat_line_and_one_count_is_drawn() -> None:
    assert {point.split(",")[1] for point in sparkline([0, 0]).line.split()} == {"25.0"}
    assert (sparkline([]).total, sparkline([]).line) == (0, "")
    assert sparkline([7]).line == "0.0,1.0"


def test_shares_stand_side_by_side() -> None:
    spans = [(span.x, span.width, span.tone) for span in split_bar([9_000, 1_000])]
    assert spans == [(0.0, 90.0, "old"), (90.0, 10.0, "new")]
