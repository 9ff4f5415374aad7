# Stops the agent and everything that it started in its process group: first politely, then not.
# Given by the template: WORKSPACE_HOME, WORKSPACE_USER.
set -u

# As in start.sh: the note below could say anything, so only the workspace's user acts on it.
if [ -n "$WORKSPACE_USER" ] && [ "$WORKSPACE_USER" != "$(id -un)" ]; then
	script=$(cat "$0")
	cd /
	exec env -i PATH="$PATH" WORKSPACE_HOME="$WORKSPACE_HOME" WORKSPACE_USER="$WORKSPACE_USER" \
		setpriv --reuid="$WORKSPACE_USER" --regid="$(id -g "$WORKSPACE_USER")" --init-groups sh -c "$script"
fi

note=$WORKSPACE_HOME/.coder-workspace/process
[ -f "$note" ] || exit 0
{ read -r pid; read -r started; } < "$note"
case $pid in
'' | *[!0-9]* | 0 | 1) exit 0 ;;
esac

# Whether the process that was started is still there, and not another one with its number.
running() {
	kill -0 "$pid" 2> /dev/null || return 1
	state=$(cut -d' ' -f3 "/proc/$pid/stat" 2> /dev/null || true)
	[ "$state" != Z ] || return 1
	now=$(cut -d' ' -f22 "/proc/$pid/stat" 2> /dev/null || ps -o lstart= -p "$pid" 2> /dev/null || true)
	[ "$now" = "$started" ]
}
signal() { kill -s "$1" -- "-$pid" 2> /dev/null || kill -s "$1" "$pid" 2> /dev/null; }

if running; then
	signal TERM
	# The agent runs its shutdown scripts before it ends.
	waited=0
	while running && [ "$waited" -lt 300 ]; do
		sleep 0.1 2> /dev/null || sleep 1
		waited=$((waited + 1))
	done
	signal KILL
fi
rm -f "$note"
exit 0
