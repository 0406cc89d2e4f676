/* Sources and the final check; the JSON schema itself is in file.c. See load.h. */
#include "conf/load.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "conf/file.h"
#include "conf/online.h"
#include "conf/manager.h"
#include "conf/over_tcp.h"
#include "conf/text_file.h"
#include "conf/up.h"
#include "conf/url.h"

#define FILE_MAX (1024u * 1024u)

void load_begin(struct loading *l, struct config *c)
{
	*l = (struct loading){ .config = c };
	config_init(c);
}

static void explain_unreadable(struct loading *l, ssize_t err)
{
	if (err == -EFBIG)
		problem_add(&l->problems, PROBLEM_ERROR, 0, "the file is larger than %u bytes", FILE_MAX);
	else
		problem_add(&l->problems, PROBLEM_ERROR, 0, "cannot read it: %s", strerror((int)-err));
}

static void advise_on_mode(struct loading *l, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
		problem_add(&l->problems, PROBLEM_ADVICE, 0, "every user of this machine can read the password in it (chmod o-r)");
}

bool load_file(struct loading *l, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -errno : text_file_read(fd, FILE_MAX, &l->text);

	l->problems.source = standard ? "standard input" : path;
	if (n < 0 && strstr(path, "://")) { /* which may hold a password */
		l->problems.source = "URL";
		problem_add(&l->problems, PROBLEM_ERROR, 0, "%s",
			    url_is_ss(path) ? "-c wants a file; an ss:// URL stands by itself" : "neither a file nor an ss:// URL, the one kind that gatun reads");
	} else if (n < 0)
		explain_unreadable(l, n);
	else if (!standard)
		advise_on_mode(l, fd);
	if (!standard && fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	l->text_len = (size_t)n;
	return file_read(l);
}

bool load_text(struct loading *l, const char *name, const char *text, size_t len)
{
	l->text = malloc(len + 1);
	if (!l->text)
		die(1, "out of memory");
	memcpy(l->text, text, len);
	l->text_len = len;
	l->problems.source = name;
	return file_read(l);
}

bool load_url(struct loading *l, const char *url)
{
	struct server_spec *s = spec_list_add(&l->specs);
	char err[128];

	l->problems.source = "ss:// URL";
	if (url_parse(url, s, err, sizeof(err)) == 0)
		return true;
	spec_refuse_rest(s, 1);
	problem_add(&l->problems, PROBLEM_ERROR, 0, "%s", err);
	return false;
}

static int count_enabled(const struct spec_list *specs)
{
	int n = 0;

	for (int i = 0; i < specs->n; i++)
		n += !specs->items[i].disabled.number;
	return n;
}

static void check_count(struct loading *l, uint32_t command, int n)
{
	if (n == 0 && l->serverless && !l->specs.n)
		return;
	if (n == 0 && l->specs.n)
		problem_add(&l->problems, PROBLEM_ERROR, 0, "every server is disabled");
	else if (n == 0 && !(l->config->online_url && command != FOR_SERVER) && !(l->config->manager.address && (command & (FOR_SERVER | FOR_CHECK))))
		problem_add(&l->problems, PROBLEM_ERROR, 0, "no server is given: an ss:// URL, -c FILE, or -s HOST:PORT -m METHOD -k PASSWORD");
}

/* A server has one key, and listens on an address of this machine. */
static void check_listen(struct loading *l, const struct server_spec *s, const struct config_server *server)
{
	over_tcp_check_server(s, l->config, &l->problems);
	if (server->n_identities)
		problem_add(&l->problems, PROBLEM_ERROR, s->password.at,
			    "a server has one key, and this password is several joined by ':'; the keys of its users go into \"users\"");
	if (s->n_hops)
		problem_add(&l->problems, PROBLEM_WARNING, s->hops[0].at, "\"outbound_proxy\" is for clients: a server connects to targets by itself");
	if (target_is_name(&server->address))
		problem_add(&l->problems, PROBLEM_ERROR, s->host.at,
			    "`gatun server` listens on an IP address of this machine (0.0.0.0 or :: for all), not on a name");
}

/* `run` opens those alone that its options ask for: two of them may share a file, and a
 * port they cannot. */
static bool is_opened(const struct local_spec *s, uint32_t command)
{
	return command != FOR_RUN || !s->at;
}

/* All but a tunnel and a resolver take TCP whatever their mode; UDP may be elsewhere. */
static void check_distinct_locals(struct loading *l)
{
	const struct config *c = l->config;
	char where[ADDR_STRLEN];

	for (int i = 0; i < c->n_locals; i++)
		for (int j = 0; j < i; j++)
			if (c->locals[i].listen.port && addr_equal(&c->locals[i].listen, &c->locals[j].listen) &&
			    (c->locals[i].mode & c->locals[j].mode & MODE_TCP_ONLY))
				problem_add(&l->problems, PROBLEM_ERROR, 0, "two inbounds listen on %s",
					    addr_format(&c->locals[i].listen, where));
}

static void check_locals(struct loading *l, uint32_t command)
{
	struct config *c = l->config;
	const struct local_spec *left = NULL;

	c->locals = calloc((size_t)l->locals.n + 1, sizeof(*c->locals));
	if (!c->locals)
		die(1, "out of memory");
	for (int i = 0; i < l->locals.n; i++) {
		if (is_opened(&l->locals.items[i], command)) /* counted even if refused: what it holds so far is freed with the config */
			local_check(&l->locals.items[i], c, &c->locals[c->n_locals++], &l->problems);
		else if (!left)
			left = &l->locals.items[i];
	}
	check_distinct_locals(l);
	if (left)
		problem_add(&l->problems, PROBLEM_ADVICE, left->at, "a file's inbounds are opened by `gatun local`; `gatun run` opens those of its options");
}

/* A client is one user, by the last key of its password. */
static void check_client(struct loading *l, const struct server_spec *s, struct config_server *server)
{
	over_tcp_check(s, l->config, server, &l->problems);
	if (!target_is_name(&server->address) && addr_is_any(&server->address.ip))
		problem_add(&l->problems, PROBLEM_WARNING, s->host.at,
			    "0.0.0.0 and :: are where a server listens: a client wants the address by which it is reached");
	if (s->n_users)
		problem_add(&l->problems, PROBLEM_WARNING, s->users[0].at,
			    "\"users\" are for `gatun server`; a client is the user whose key ends its password (SERVERKEY:USERKEY)");
	if (s->acl.text)
		problem_add(&l->problems, PROBLEM_WARNING, s->acl.at,
			    "the \"acl\" of a server is for `gatun server`: it has no effect; a client's stands at the top level or in \"locals\"");
}

/* shadowsocks-rust has one policy and no word for it; ours by default is another. */
static void check_balancer(struct loading *l)
{
	struct config *c = l->config;

	if (c->balancer_policy == BALANCER_UNSET)
		c->balancer_policy = c->balancer_given ? BALANCER_LATENCY : BALANCER_FAILCOUNT;
	if (c->balancer_policy != BALANCER_LATENCY &&
	    (c->balancer_best_interval || target_port(&c->probe_host) || target_port(&c->probe_dns)))
		problem_add(&l->problems, PROBLEM_WARNING, 0,
			    "balancer: only policy latency probes; check_best_interval, probe_url and probe_dns have no effect");
}

/* Only where they listen: a client may well have two ways to one server. */
static void check_distinct(struct loading *l)
{
	const struct config *c = l->config;
	char where[TARGET_STRLEN];

	for (int i = 0; i < c->n_servers; i++)
		for (int j = 0; j < i; j++)
			if (addr_equal(&c->servers[i].address.ip, &c->servers[j].address.ip) && (c->servers[i].mode & c->servers[j].mode))
				problem_add(&l->problems, PROBLEM_ERROR, 0, "two servers listen on %s",
					    target_format(&c->servers[i].address, where));
}

/* What the tun inbound of a file says stands for `run` and `up`, unless an option does. */
static void take_tun_acl(struct loading *l, uint32_t command)
{
	if ((command & (FOR_RUN | FOR_UP)) && l->config->acl == l->file_acl)
		l->config->acl = spec_keep_acl(&l->tun_acl, l->config);
}

bool load_finish(struct loading *l, uint32_t command)
{
	struct config *c = l->config;
	int n;

	if (c->manager.address && (command & (FOR_SERVER | FOR_CHECK)))
		manager_take_defaults(&l->specs, c, &l->problems);
	n = count_enabled(&l->specs);
	c->inbound.keepalive_s = c->outbound.keepalive_s;
	c->inbound.mptcp = c->outbound.mptcp;
	take_tun_acl(l, command);
	if (command == FOR_UP)
		up_take_marks(c, &l->problems);
	online_check(l->config, command, &l->problems);
	if (!l->problems.n_errors || l->specs.n)
		check_count(l, command, n);
	check_balancer(l);
	c->servers = calloc((size_t)n + 1, sizeof(*c->servers));
	if (!c->servers)
		die(1, "out of memory");
	for (int i = 0; i < l->specs.n; i++) {
		struct config_server *server = &c->servers[c->n_servers];

		if (l->specs.items[i].disabled.number)
			continue;
		if (!spec_check(&l->specs.items[i], c, server, &l->problems)) {
			config_server_free(server);
			continue;
		}
		if (command == FOR_SERVER)
			check_listen(l, &l->specs.items[i], server);
		else if (command & FOR_CLIENT)
			check_client(l, &l->specs.items[i], server);
		c->n_servers++;
	}
	if (command == FOR_SERVER)
		check_distinct(l);
	if (command & (FOR_SERVER | FOR_CHECK))
		manager_check(c, &l->problems);
	if (command & (FOR_CLIENT | FOR_CHECK))
		check_locals(l, command);
	if (command & (FOR_UP | FOR_CHECK))
		up_check(c, command == FOR_UP, &l->problems);
	if (command == FOR_RUN && c->workers != 1)
		problem_add(&l->problems, PROBLEM_ADVICE, 0, "\"workers\" are for `gatun up`, `server` and `local`; `gatun run` has one");
	if (command == FOR_SERVER && l->locals.n)
		problem_add(&l->problems, PROBLEM_ADVICE, l->locals.items[0].at, "inbounds are opened by `gatun local`, not by this command");
	if (command == FOR_RUN && c->limits_given)
		problem_add(&l->problems, PROBLEM_ADVICE, 0, "\"limits\" are for `gatun server` and `gatun local`: they have no effect here");
	if (command == FOR_LOCAL && !c->n_locals && !l->problems.n_errors)
		problem_add(&l->problems, PROBLEM_ERROR, 0,
			    "no inbound is given: --socks, --http or --mixed ADDR:PORT, or \"locals\" in the config");
	return l->problems.n_errors == 0;
}

void load_end(struct loading *l)
{
	spec_list_free(&l->specs);
	local_list_free(&l->locals);
	free(l->tun_acl.text);
	problems_free(&l->problems);
	if (l->text)
		sodium_memzero(l->text, l->text_len);
	free(l->text);
	*l = (struct loading){ 0 };
}
