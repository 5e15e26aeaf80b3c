"""Why a record was refused: the closed list of codes that `rejects.jsonl` may hold.

docs/reference/reject-reasons.md explains each code to the reader of a run; a test keeps the two in step.
"""

REASONS: dict[str, str] = {
    "truncated_compression": "the gzip or zstd stream ends early; what came before was read",
    "corrupt_compression": "the gzip or zstd stream is damaged, or the file is not compressed as its name says",
    "not_parquet": "a file named .parquet that does not start like one",
    "corrupt_parquet": "a Parquet file that cannot be read to its end: cut off or damaged",
    "missing_column": "a Parquet file without one of the required columns",
    "wrong_column_type": "a Parquet column whose type cannot become the type of its field",
    "unknown_format": "no adapter recognises the file",
    "invalid_utf8": "bytes, or an escaped half surrogate pair, that are not Unicode text",
    "nul_byte": "a NUL byte in the line, or a NUL character in an identifier",
    "line_too_long": "a line of more than 16 MiB; it was skipped without being held",
    "invalid_json": "the line is not JSON",
    "too_deep": "JSON nested too deeply to be a log record",
    "not_an_object": "JSON, but not an object",
    "invalid_line": "the line of a text log does not have the shape of its format",
    "missing_field": "a required field is absent or null",
    "empty_field": "a required field is the empty string",
    "wrong_type": "a value of the wrong type, such as a number where text belongs",
    "value_too_long": "an identifier of more than 1,024 bytes",
    "number_out_of_range": "a whole number outside 64 bits",
    "timestamp_invalid": "text that is not a timestamp",
    "timestamp_no_zone": "a timestamp without a time zone",
    "timestamp_future": "a timestamp more than one day ahead of the clock",
    "timestamp_before_2015": "a timestamp before 2015",
    "not_a_pair": "a captured request and answer that do not belong to the format",
    "no_account": "this log names no account: join it with one that does (stillwatch ingest --join)",
    "no_model": "this log names no model: give it to stillwatch ingest --join beside a log with content",
}
