"""`python -m service.cli` is `callstream`."""

from service.cli import main

if __name__ == "__main__":
    main()
