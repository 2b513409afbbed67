"""The search for better models, above `zoo` and `tasks`. Nothing is here yet.

`tuning.search` is planned for a later release; the package exists so that what may
import what is settled and tested from the start.
"""
