# Runs a command in the machine: KEY PORT DIRECTORY COMMAND…, by a connection that is
# kept, as Ansible keeps its own.
key=$1 port=$2 dir=$3
shift 3
exec ssh -i "$key" -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
	-o ControlMaster=auto -o ControlPersist=60s -o ControlPath="$dir/%C" root@127.0.0.1 "$@"
