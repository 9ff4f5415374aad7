# Starts the agent in the background, in a process group of its own, and notes which process it is.
# Given by the template: WORKSPACE_HOME, WORKSPACE_USER, WORKSPACE_TOKEN, WORKSPACE_INIT.
set -eu

# All of this runs as the workspace's user: in a directory that somebody else can write to, root must not write.
if [ -n "$WORKSPACE_USER" ] && [ "$WORKSPACE_USER" != "$(id -un)" ]; then
	script=$(cat "$0")
	cd /
	exec env -i PATH="$PATH" LANG="${LANG:-C.UTF-8}" \
		WORKSPACE_HOME="$WORKSPACE_HOME" WORKSPACE_USER="$WORKSPACE_USER" \
		WORKSPACE_TOKEN="$WORKSPACE_TOKEN" WORKSPACE_INIT="$WORKSPACE_INIT" \
		setpriv --reuid="$WORKSPACE_USER" --regid="$(id -g "$WORKSPACE_USER")" --init-groups sh -c "$script"
fi

cd "$WORKSPACE_HOME"
user=$(id -un)
state=$WORKSPACE_HOME/.coder-workspace
mkdir -p "$state"
chmod 700 "$state"
printf '%s\n' "$WORKSPACE_INIT" > "$state/init.sh"

# The build's environment holds what the agent must not see, such as cloud credentials: it gets a fresh one.
shell=$(getent passwd "$user" 2> /dev/null | cut -d: -f7) || true
set -- env -i \
	HOME="$WORKSPACE_HOME" USER="$user" LOGNAME="$user" \
	SHELL="${shell:-/bin/sh}" PATH="$PATH" LANG="${LANG:-C.UTF-8}" \
	BINARY_DIR="$state" CODER_AGENT_TOKEN="$WORKSPACE_TOKEN" \
	sh "$state/init.sh"
if command -v setsid > /dev/null; then set -- setsid "$@"; fi
# No open file of the build may be left with the process, or the build would wait for it.
"$@" < /dev/null > "$state/agent.log" 2>&1 &
pid=$!

# A number alone may belong to another process after a restart of the machine; the start time tells.
started=$(cut -d' ' -f22 "/proc/$pid/stat" 2> /dev/null || ps -o lstart= -p "$pid" 2> /dev/null || true)
printf '%s\n%s\n' "$pid" "$started" > "$state/process"
