#!/bin/sh
# Hand the secrets' file to the program as its environment, then become the program.
#
# The file has one NAME=value a line; nothing in it is evaluated. Unlike Compose's env_file, the
# values do not show in `docker inspect`.
set -eu
if [ -n "${TRUNKLINE_SECRETS_FILE:-}" ]; then
    if [ ! -r "$TRUNKLINE_SECRETS_FILE" ]; then
        echo "trunkline: $TRUNKLINE_SECRETS_FILE cannot be read by user $(id -u). Run: sudo scripts/secrets" >&2
        exit 1
    fi
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            '' | '#'*) ;;
            [A-Z_]*=*) export "$line" ;;
            *) echo "trunkline: $TRUNKLINE_SECRETS_FILE has a line that is not NAME=value." >&2 ; exit 1 ;;
        esac
    done < "$TRUNKLINE_SECRETS_FILE"
fi
exec "$@"
