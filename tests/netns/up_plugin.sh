#!/bin/bash
# gatun up with a plugin: a program that cannot mark its packets runs as a user whose packets
# the gate passes, and nobody else's; and the whole of gatun up as a user of its own.
. "$(dirname "$0")/up_lib.sh"
begin_up "$0" "$@"
[ "$(id -u)" -eq 0 ] || lab_skip "only root can become another user"
command -v obfs-local >/dev/null && command -v obfs-server >/dev/null || lab_skip "there is no simple-obfs"

# The users of this machine, for this test alone.
cp /etc/passwd "$LAB_LOGS/passwd" && cp /etc/group "$LAB_LOGS/group" || lab_die "no users"
sed -i '/^gatun/d' "$LAB_LOGS/passwd" "$LAB_LOGS/group"
add_user() { echo "$1:x:$2:$2::/nonexistent:/usr/sbin/nologin" >>"$LAB_LOGS/passwd"; echo "$1:x:$2:" >>"$LAB_LOGS/group"; }
mount --bind "$LAB_LOGS/passwd" /etc/passwd && mount --bind "$LAB_LOGS/group" /etc/group || lab_skip "/etc/passwd cannot be covered"

uid_of() { sed -n 's/^Uid:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
rights_of() { sed -n 's/^CapPrm:[[:space:]]*//p' "/proc/$1/status"; }
plugins() { for p in $(lab_family "$UP_PID"); do [ "$(cat "/proc/$p/comm")" = obfs-local ] && echo "$p"; done; }
users_of() { for p; do uid_of "$p"; done | sort -u | xargs; }
has_plugins() { [ -n "$(plugins)" ]; }

# Control sockets of those who were killed go with whoever looks next.
look() { snapshot "$1" && sed -i '/\.sock$/d' "$1"; }

carries()
{
	same "$1: a connection through the plugin" "got:3000000,intact then:EOF" source @ 3000000
	same "$1: UDP beside it" "@:7003 @:7103 %:7203" udp-cone @
	no_strays "$1: nothing by another way"
}

use_server gatun "$SERVER4" --plugin obfs-server --plugin-opts obfs=http
lab_wait "the server's plugin" lab_listens server "$SERVER_PORT"
PLUGIN=(--plugin obfs-local --plugin-opts "obfs=http;obfs-host=cover.example")

# --- root, without such a user -----------------------------------------------------------------

look "$LAB_LOGS/before"
gate_try "${PLUGIN[@]}"
lab_gone "$UP_PID"
matches "without a user for plugins it does not start, and says how to make one" \
	'there is no user "gatun-plugin"; make it with: sudo useradd --system' "$LAB_LOGS/up.log"
look "$LAB_LOGS/after"
same_snapshot "and nothing has been changed" "$LAB_LOGS/before" "$LAB_LOGS/after"

# --- root, with one ----------------------------------------------------------------------------

add_user gatun-plugin 64991
gate_up "${PLUGIN[@]}" --workers 2 --kill-switch
equal "plugins, and who starts them, are gatun-plugin" 64991 "$(users_of $(lab_family "$UP_PID"))"
equal "plugins have no capability, workers CAP_NET_RAW" "0000000000000000 0000000000002000" \
	"$(for p in $(plugins); do rights_of "$p"; done | sort -u | xargs) $(for p in $(gate_workers); do rights_of "$p"; done | sort -u | xargs)"
carries "as gatun-plugin"
OLD=$(plugins | head -n 1)
kill -9 "$OLD"
lab_wait "the plugin's next life" eval '[ "$(plugins | wc -l)" = 2 ] && ! plugins | grep -qx "$OLD"'
same "a plugin that was killed is back" "got:3000000,intact then:EOF" source @ 3000000
OLD=$(gate_workers | cut -d ' ' -f 1)
kill -9 "$OLD"
lab_wait "the worker's next life" eval '! gate_workers | grep -qw "$OLD" && [ "$(gate_workers | wc -w)" = 2 ] && [ "$(plugins | wc -l)" = 2 ]'
carries "after a worker was killed"
OLD=$(plugins)
kill -9 "$UP_PID"
lab_wait "the end of all" eval '! kill -0 $OLD 2>/dev/null'
ok "a supervisor that is killed takes workers and plugins along"
gate_down
add_user another 64992
gate_up "${PLUGIN[@]}" --plugin-user another
equal "--plugin-user: another one" 64992 "$(users_of $(plugins))"
same "and it carries" "got:3000000,intact then:EOF" source @ 3000000
gate_down
look "$LAB_LOGS/after"
same_snapshot "down gives everything back as it was" "$LAB_LOGS/before" "$LAB_LOGS/after"

# --- as a user of its own ------------------------------------------------------------------------

add_user gatun 64990
rm -rf /run/gatun # which the server has made; else CAP_DAC_OVERRIDE stays, to write there
for workers in 1 2; do
	gate_up "${PLUGIN[@]}" --user gatun --workers $workers
	equal "--user: all of it is that user, plugins too, workers: $workers" 64990 "$(users_of $(lab_family "$UP_PID"))"
	equal "the supervisor keeps CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE alone" 0000000000003400 "$(rights_of "$UP_PID")"
	carries "as a user of its own"
	kill "$UP_PID"
	lab_gone "$UP_PID"
	look "$LAB_LOGS/after"
	same_snapshot "its own end gives everything back" "$LAB_LOGS/before" "$LAB_LOGS/after"
done
finish_up
