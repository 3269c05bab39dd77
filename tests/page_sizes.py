"""What tensors take in a table, measured in the file: from the page headers, which Thrift's compact protocol writes.

Nothing here asks the command or the library; what they report is compared with this. Sizes include the headers of pages,
but not the bytes between pages, which align values.
"""
import collections
import os
import re

import pyarrow.parquet as pq

BLOBS = ("data", "scales", "zero_points")
MODEL_FILE = (b"arrowquant.file.", b"arrowquant.file_zstd.")


def read_number(read):
    """An unsigned number of 7 bits a byte."""
    value = shift = 0
    while True:
        byte = read(1)[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def read_struct(read):
    """{field number: number or struct}; binary fields do not occur in the page headers of data."""
    fields, field = {}, 0
    while (head := read(1)[0]) != 0:
        number = read_number(read) if head >> 4 == 0 else None
        field = field + (head >> 4) if number is None else (number >> 1) ^ -(number & 1)
        kind = head & 15
        if kind in (1, 2):
            fields[field] = kind == 1
        elif kind in (4, 5, 6):
            number = read_number(read)
            fields[field] = (number >> 1) ^ -(number & 1)
        elif kind == 12:
            fields[field] = read_struct(read)
        else:
            raise ValueError(f"a page header has a field of the type {kind}")
    return fields


def page_bytes(file, chunk):
    """The bytes of each page of a column chunk, header included; one page is one value."""
    found, values = [], 0
    file.seek(chunk.data_page_offset)
    end = chunk.data_page_offset + chunk.total_compressed_size
    while values < chunk.num_values:
        start = file.tell()
        header = read_struct(file.read)
        assert header[1] == 0, "not a data page"
        assert header[5][1] == 1, "several values in a page"
        file.seek(header[3], os.SEEK_CUR)
        found.append(file.tell() - start)
        values += 1
    assert file.tell() <= end
    return found


def stored_bytes(path):
    """{name of a tensor: bytes of its codes, scales and zero points}, the parts of a tensor added up."""
    sizes = collections.Counter()
    with pq.ParquetFile(path) as read, open(path, "rb") as file:
        columns = [i for i, name in enumerate(read.schema.names) if name in BLOBS]
        for group in range(read.num_row_groups):
            names = read.read_row_group(group, columns=["layer_name"])["layer_name"].to_pylist()
            meta = read.metadata.row_group(group)
            for column in columns:
                for name, size in zip(names, page_bytes(file, meta.column(column)), strict=True):
                    sizes[re.sub(r"\[\d+:\d+\]$", "", name)] += size
    return dict(sizes)


def weights_of(path):
    """{name: number of values} of the quantized tensors."""
    found = collections.Counter()
    rows = pq.read_table(path, columns=["layer_name", "num_params", "quant_type"]).to_pylist()
    for row in rows:
        if row["quant_type"] in ("int8", "int4", "int3", "int2"):
            found[re.sub(r"\[\d+:\d+\]$", "", row["layer_name"])] += row["num_params"]
    return dict(found)


def bits_per_weight(path):
    """Of the quantized tensors, including scales, zero points and page headers."""
    weights, sizes = weights_of(path), stored_bytes(path)
    return 8 * sum(sizes[name] for name in weights) / sum(weights.values())


def chunk_bytes(path):
    """What all column chunks take, as the footer says."""
    meta = pq.read_metadata(path)
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    return sum(group.column(c).total_compressed_size for group in groups for c in range(meta.num_columns))


def model_files_bytes(path):
    """What the model's own files take in the metadata."""
    metadata = pq.read_metadata(path).metadata or {}
    return sum(len(key) + len(value) for key, value in metadata.items() if key.startswith(MODEL_FILE))
