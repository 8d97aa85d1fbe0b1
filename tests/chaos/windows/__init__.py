"""One module per kind of fault; each lists its windows in `WINDOWS`."""
