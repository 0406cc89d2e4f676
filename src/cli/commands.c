/* The subcommands, one row each. A row is here when it works. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/words.h"
#include "conf/nearest.h"

static const char run_text[] =
	"COMMAND and all that it starts have no network but the tunnel to SERVER: TCP,\n"
	"UDP and names, over IPv4 and IPv6. It keeps its user, directory, terminal and\n"
	"environment (but $GATUN_PASSWORD). When it ends, nothing is left.\n"
	"\n"
	"SERVER is an ss:// URL, or -c FILE, or -s HOST:PORT -m METHOD -k PASSWORD.\n"
	"The exit code is COMMAND's own (128+N for a signal), 125 if gatun failed, 126 if\n"
	"COMMAND cannot be executed, 127 if it is not found.\n";

static const char up_text[] =
	"Everything that this machine sends, and with --lan everything that a LAN sends\n"
	"through it, goes through the tunnel to SERVER: TCP, UDP and names, over IPv4 and\n"
	"IPv6. Until SIGTERM or SIGINT, or `gatun down`: then all is as it was before\n"
	"(but for --kill-switch, which `gatun down` alone lifts). Should gatun be killed,\n"
	"nothing leaves beside the tunnel until `gatun up` or `gatun down` comes. Needs\n"
	"root. docs/gateway.md shows set-ups.\n"
	"\n"
	"SERVER is an ss:// URL, or -c FILE, or -s HOST:PORT -m METHOD -k PASSWORD.\n";

static const char down_text[] =
	"Ends the `gatun up` of this network namespace, and takes back what one that was\n"
	"killed has left: policy rules, routes, nft tables, sysctls, the kill switch.\n"
	"Safe to run twice. --keep-guard leaves what keeps traffic in.\n"
	"\n"
	"Exit code 0: nothing is up any more, also where nothing was; 1: something stays.\n";

static const char server_text[] =
	"Listens for Shadowsocks clients, TCP and UDP, until SIGTERM or SIGINT. What it\n"
	"reaches for them is everything but its own loopback, link-local and metadata\n"
	"addresses, which --allow-local opens.\n";

static const char local_text[] =
	"Listens on this machine for programs that are told to use a proxy, and carries\n"
	"what they ask for to SERVER: SOCKS5 with UDP ASSOCIATE, SOCKS4 and 4a, HTTP, or\n"
	"both on one port, and tunnels to one fixed target. Until SIGTERM or SIGINT.\n"
	"Several inbounds stand in the config file as \"locals\", or are given here.\n"
	"\n"
	"SERVER is an ss:// URL, or -c FILE, or -s HOST:PORT -m METHOD -k PASSWORD.\n";

static const char reload_text[] =
	"Asks the gatun of yours that runs, or the one at --control, to read its config\n"
	"file again and become what it says, flows going on. SIGHUP does the same to\n"
	"`gatun server`, `gatun local` and `gatun up`. A file that cannot be used changes\n"
	"nothing: the first thing that is wrong with it is said here, all of it where\n"
	"gatun writes its messages. docs/reload.md says what becomes of what.\n";

static const char status_text[] =
	"Asks every gatun of yours that runs what it is and what it did, over its control\n"
	"socket, and prints a few lines for each; as root, every one of root's. `gatun`\n"
	"without arguments does the same. docs/status.md explains each name.\n"
	"\n"
	"`status flows` lists the TCP flows and UDP associations that there are now;\n"
	"`status kill flow N` ends one of them, as a reset; `status flush` forgets the\n"
	"resolver's cache, and fake addresses that nobody uses.\n"
	"\n"
	"Exit code 0: all have answered; 1: nothing runs, or one has not answered.\n";

static const char check_text[] =
	"Prints every error, warning and advice as FILE:LINE:COLUMN: message, then what\n"
	"`gatun run`, `gatun local` and `gatun server` would do. Exit code 0: usable,\n"
	"3: not. With HOSTs (names or addresses): also what the ACLs of the config say of\n"
	"each of them.\n";

static const char doctor_text[] =
	"Tries for real what gatun needs: TUN devices and their offloads, namespaces,\n"
	"routes, rules and nft tables of each mode, and that a connection comes through\n"
	"them; and looks at limits, rights, rules of other VPNs, names and the clock.\n"
	"What stands in the way comes first, with the command that mends it. Options of\n"
	"`gatun up` are looked at, too. It changes nothing: what it makes is in\n"
	"namespaces of its own.\n"
	"\n"
	"With SERVER each server is asked for something by its method and password: does\n"
	"it answer? A 2022 method takes no clock that is more than 30 s off, and says\n"
	"nothing then; so other times are tried, and by how much this machine's clock is\n"
	"off is said to the second.\n"
	"\n"
	"Exit code 0: `gatun up` would work here; 1: it would not.\n";

static const char url_text[] =
	"A config FILE becomes ss:// URLs, one line for each server; an ss:// URL becomes\n"
	"a config. With --qr either becomes a QR code, as telephones scan it. Mind that\n"
	"the output holds the password.\n";

static const char genkey_text[] =
	"Prints a new random password for METHOD: the base64 key of the size that a 2022\n"
	"method wants, or 256 bits for another.\n";

static const char ciphers_text[] =
	"Lists the methods and the library that computes each on this machine, chosen by\n"
	"CPU and a self-test. With --bench, how fast one core does it.\n";

static const char help_text[] =
	"With --completion bash, zsh or fish it prints what that shell completes gatun's\n"
	"command lines with; an installed gatun has brought it along.\n";

static const struct command table[] = {
	{ "run", FOR_RUN, cmd_run, "[SERVER] [options] -- COMMAND [ARG...]", "One command whose only way out is the tunnel; no root needed",
	  run_text, "  gatun run -c config.json -- curl https://example.org/\n" },
	{ "up", FOR_UP, cmd_up, "[SERVER] [options]", "This whole machine, or a LAN behind it", up_text,
	  "  gatun up -c config.json\n"
	  "  gatun up -c config.json --mode tproxy --lan lan0 --kill-switch\n" },
	{ "down", FOR_DOWN, cmd_down, "[--keep-guard]", "Take back what `gatun up` made", down_text, "  gatun down\n" },
	{ "server", FOR_SERVER, cmd_server, "[SERVER] [options]", "Be the remote end", server_text,
	  "  gatun server -s 0.0.0.0:8388 -m 2022-blake3-aes-256-gcm -k @/etc/gatun.key\n" },
	{ "local", FOR_LOCAL, cmd_local, "[SERVER] [options]", "Be a SOCKS5 or HTTP proxy, or a tunnel", local_text,
	  "  gatun local -c config.json --socks 127.0.0.1:1080\n" },
	{ "reload", FOR_RELOAD, cmd_reload, "[--control PATH]", "Have a running gatun read its config file again", reload_text,
	  "  gatun reload\n" },
	{ "status", FOR_STATUS, cmd_status, "[flows|kill flow N|flush] [options]",
	  "Say what runs, through which server, and what it did", status_text,
	  "  gatun status --watch\n"
	  "  gatun status flows --sort bytes --limit 20\n" },
	{ "check", FOR_CHECK, cmd_check, "FILE|URL [HOST...]", "Say what is wrong with a config, and what it would do", check_text,
	  "  gatun check config.json\n"
	  "  gatun check config.json example.org 192.0.2.1\n" },
	{ "doctor", FOR_UP, cmd_doctor, "[SERVER] [options]", "Say what this machine can do, and what to fix", doctor_text,
	  "  sudo gatun doctor\n"
	  "  sudo gatun doctor -c config.json --mode tproxy --lan eth1\n" },
	{ "url", FOR_URL, cmd_url, "FILE|URL [--qr]", "Turn a config into an ss:// URL or a QR code, and back", url_text,
	  "  gatun url config.json\n"
	  "  gatun url config.json --qr\n"
	  "  gatun url ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388 > config.json\n" },
	{ "genkey", FOR_GENKEY, cmd_genkey, "METHOD", "Make a strong password for a method", genkey_text,
	  "  gatun genkey 2022-blake3-aes-256-gcm\n" },
	{ "ciphers", FOR_CIPHERS, cmd_ciphers, "[--bench]", "List the methods", ciphers_text, "  gatun ciphers --bench\n" },
	{ "version", 0, cmd_version, "", "Print the version", NULL, NULL },
	{ "help", 0, cmd_help, "[COMMAND | --completion SHELL]", "Explain a command", help_text, "  gatun help check\n" },
	{ 0 },
};

const struct command *command_table(void)
{
	return table;
}

const struct command *command_find(const char *name)
{
	for (const struct command *c = table; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

bool command_is_serverless(const struct command *c)
{
	return c->run == cmd_doctor;
}

int command_unknown(const char *name)
{
	struct nearest near = { .word = name };
	char shown[64];

	for (const struct command *c = table; c->name; c++)
		nearest_offer(&near, c->name);
	if (strstr(name, "://")) { /* which may hold a password */
		fprintf(stderr, "gatun: what is the URL for? gatun up URL, gatun run URL -- COMMAND, gatun local URL --socks ADDR:PORT (`gatun help`)\n");
		return EXIT_USAGE;
	}
	if (words_name_config(name)) {
		fprintf(stderr, "gatun: what is the config for? gatun up -c FILE, gatun run -c FILE -- COMMAND, gatun local -c FILE, gatun server -c FILE\n");
		return EXIT_USAGE;
	}
	if (name[0] == '-') {
		fprintf(stderr, "gatun: options stand behind a command, as in `gatun up -v` (`gatun help` lists them)\n");
		return EXIT_USAGE;
	}
	log_escape(name, strlen(name), shown, sizeof(shown));
	fprintf(stderr, "gatun: there is no command \"%s\"", shown);
	if (near.best)
		fprintf(stderr, ", did you mean \"%s\"?\n", near.best);
	else
		fprintf(stderr, " (`gatun help` lists them)\n");
	return EXIT_USAGE;
}
