# Makes a key: FILE.
exec ssh-keygen -q -t ed25519 -N "" -f "$1"
