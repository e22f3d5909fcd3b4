#!/bin/sh
# Plays an installer for the script tests, called as the lab's program is:
#   installer.sh install --host-folder D --file WINDOWSPATH -- ARGUMENTS
# Writes what it was given into the host's folder, waits while the file "hold" lies there, writes a log where it was told to, and
# ends with the number in "exit-code", which goes into the file that the lab names.
set -eu
host=$3
file=$5
shift 6
printf '%s\n' "$file" "$@" > "$host/installer-arguments"
tries=0
while [ -e "$host/hold" ] && [ $tries -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
log=
while [ $# -gt 0 ]; do
    if [ "$1" = '/l*v' ]; then log=$host/C/$(printf %s "$2" | cut -c4- | tr '\\' /); fi
    shift
done
if [ -n "$log" ]; then
    printf '%s\n' 'Property(S): SDKPASSWORD = M4rk3r-Secret' \
        'MSI (s) (A4:10) [02:00:00:000]: Product: User Portal -- Installation completed successfully.' \
        'MSI (s) (A4:10) [02:00:00:001]: MainEngineThread is returning 0' > "$log"
fi
cat "$host/exit-code" 2>/dev/null > "$AZUREMFA_LAB_EXIT_FILE" || true
exit 0
