"""The one table of the readers of files: a new one is one more row of these."""

from tests.fuzz import data_sources, given_files, model_files, own_files

READERS = {
    reader.name: reader
    for table in (data_sources, given_files, own_files, model_files)
    for reader in table.READERS
}
