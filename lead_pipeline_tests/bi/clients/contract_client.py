"""Checks a data contract with datacontract-cli, each table on the server of its schema; a line a check.

`lint` or `test`, and for the latter which tables; none are all.
"""

import sys

from datacontract.data_contract import DataContract  # type: ignore[import-not-found]
from open_data_contract_standard.model import OpenDataContractStandard

path, checked, *names = sys.argv[1:]
if checked == "lint":
    runs = [DataContract(data_contract_file=path).lint()]
else:
    runs = [
        DataContract(
            data_contract_file=path,
            server=next(p.value for p in table.customProperties or () if p.property == "server"),
            schema_name=table.name,
        ).test()
        for table in OpenDataContractStandard.from_file(path).schema_ or ()
        if not names or table.name in names
    ]
for run in runs:
    for check in run.checks:
        # The tool evaluates one of two rules of a kind in a table, and gives the other no result.
        said = check.result.value if check.result else "not evaluated"
        print(said, check.model, check.field, check.name, check.reason, sep="\t")
