/*
 * `gatun run`: one command whose only way out is the tunnel.
 *
 * The order matters. What the caller gave us is noted before anything of ours
 * is opened; secrets are protected before they are read; the sandbox is made
 * before limits are raised and rights dropped, so that the command inherits
 * the caller's; and the command starts only when the engine says so, because
 * until then its network leads nowhere.
 *
 * Exit codes: the command's own, 128+N for a signal; 125 if gatun failed, 126
 * if the command cannot be executed, 127 if it is not found.
 */
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cli/args.h"
#include "cli/command.h"
#include "client/online.h"
#include "client/tun_mtu.h"
#include "conf/config.h"
#include "ctl/control.h"
#include "roles/roles.h"
#include "sys/inherit.h"
#include "sys/sandbox.h"
#include "sys/secrets.h"

/* Makes the sandbox, drives it, returns the exit code. */
static int run_command(struct config *config, char **argv, struct inherit *inherited)
{
	struct sandbox_options options = { .argv = argv, .dns = config->dns != DNS_OFF, .inherited = inherited };
	struct sandbox sandbox;
	char why[512];
	int code;

	config->mtu = options.mtu = tun_mtu_of(config, true);
	sandbox_default_addresses(&options);
	code = sandbox_start(&options, &sandbox, why, sizeof(why));
	if (code) {
		log_error("%s", why);
		return code;
	}
	sys_inherit_let_go(inherited);
	sandbox_forward_signals(&sandbox, inherited);
	ctl_enable();
	code = role_run(config, &sandbox);
	close(sandbox.go_fd);
	sandbox_restore_terminal(inherited);
	return code;
}

int cmd_run(const struct command *command, int argc, char **argv)
{
	struct config config;
	struct inherit inherited;
	char **rest;
	int code, err = sys_inherit_take(&inherited);

	if (!err)
		err = sys_secrets_protect();
	if (err)
		die(EXIT_RUN_FAILED, "cannot prepare the process err=%s", err_name(err));
	if (args_load_config(command, argc, argv, &config, &rest, &code)) {
		code = online_load(&config) ? EXIT_RUN_FAILED : run_command(&config, rest, &inherited);
		config_free(&config);
		args_forget();
	}
	sys_inherit_free(&inherited);
	return code;
}
