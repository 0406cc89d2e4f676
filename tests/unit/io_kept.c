/*
 * Who comes while nobody listens is served by the next life of who did: the
 * keeper here stands in one process with both lives.
 */
#include "udp_helpers.h"

#include "io/kept.h"
#include "io/tcp_socket.h"
#include "io/udp_socket.h"

/* ---- a keeper with one place for each type ---- */

struct place {
	struct addr at;
	int fd, kept, taken, dropped;
};
static struct place tcp, udp;

static struct place *place_of(int type)
{
	return type == SOCK_STREAM ? &tcp : &udp;
}

static int take(void *owner, int type, const struct addr *at)
{
	struct place *p = place_of(type);

	(void)owner;
	if (p->fd < 0 || !addr_equal(&p->at, at))
		return -ENOENT;
	p->taken++;
	return dup(p->fd);
}

static void keep(void *owner, int type, const struct addr *at, int fd)
{
	struct place *p = place_of(type);

	(void)owner;
	p->at = *at;
	p->fd = dup(fd);
	p->kept++;
}

static void drop(void *owner, int type, const struct addr *at)
{
	struct place *p = place_of(type);

	(void)owner;
	assert_true(addr_equal(&p->at, at));
	close(p->fd);
	p->fd = -1;
	p->dropped++;
}

static struct kept_keeper keeper = { .take = take, .keep = keep, .drop = drop };

/* ---- who listens ---- */

static int accepted;

static void on_accepted(void *owner, struct stream *s, const struct addr *client)
{
	(void)owner, (void)client;
	accepted++;
	stream_end(s, END_DONE);
}

static const struct tcp_listener_events tcp_events = { on_accepted };

static uint32_t received;

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	(void)owner;
	for (int i = 0; i < n; i++)
		received += m[i].payload.len;
}

static const struct udp_socket_events udp_events = { on_receive, NULL };

static struct tcp_listener *listen_tcp(const struct addr *at)
{
	struct tcp_socket_options o = { 0 };
	struct tcp_listener *l;
	int err = 0;

	l = tcp_listener_new(at, &o, &tcp_events, NULL, &err);
	if (!l)
		errno = err;
	return l;
}

static struct udp_socket *listen_udp(const struct addr *at)
{
	struct udp_socket_options o = { .bind = at, .listens = true };
	struct udp_socket *s;
	int err = 0;

	s = udp_socket_open(&o, &udp_events, NULL, &err);
	if (!s)
		errno = err;
	return s;
}

/* A port that is free for both. */
static struct addr free_port(void)
{
	struct tcp_listener *l = NULL;
	struct addr at;

	kept_set_keeper(NULL);
	for (int i = 0; i < 50 && !l; i++) {
		close(plain_socket(&at));
		l = listen_tcp(&at); /* a port free for UDP may be a TCP connection's of another test */
	}
	assert_non_null(l);
	tcp_listener_free(l);
	kept_set_keeper(&keeper);
	return at;
}

static int set_up(void **state)
{
	(void)state;
	tcp = udp = (struct place){ .fd = -1 };
	accepted = 0;
	received = 0;
	keeper.first = true;
	kept_set_keeper(&keeper);
	return loop_init();
}

static int tear_down(void **state)
{
	(void)state;
	kept_set_keeper(NULL);
	loop_turn();
	loop_free();
	return 0;
}

static int connect_to(const struct addr *at)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void a_client_waits_for_the_next_life(void **state)
{
	struct addr at = free_port();
	struct tcp_listener *l = listen_tcp(&at);
	int client;

	(void)state;
	assert_non_null(l);
	assert_int_equal(tcp.kept, 1);
	kept_set_keeper(NULL); /* this life ends without saying that it was the last */
	tcp_listener_free(l);
	client = connect_to(&at);
	kept_set_keeper(&keeper);
	l = listen_tcp(&at);
	assert_non_null(l);
	assert_int_equal(tcp.taken, 1);
	assert_int_equal(tcp.kept, 1);
	turn_until(accepted == 1);
	close(client);
	tcp_listener_free(l);
	assert_int_equal(tcp.dropped, 1);
}

static void a_datagram_waits_too(void **state)
{
	struct addr at = free_port(), self;
	struct udp_socket *s = listen_udp(&at);
	int client = plain_socket(&self);

	(void)state;
	assert_non_null(s);
	kept_set_keeper(NULL);
	udp_socket_close(s);
	plain_send(client, &at, "hello", 5);
	kept_set_keeper(&keeper);
	s = listen_udp(&at);
	assert_non_null(s);
	turn_until(received == 5);
	udp_socket_close(s);
	assert_int_equal(udp.dropped, 1);
	close(client);
}

/* SO_REUSEPORT alone would let two programs of one user share a port unasked. */
static void a_stranger_at_the_port_is_noticed(void **state)
{
	struct addr at = free_port();
	struct tcp_listener *theirs = listen_tcp(&at), *ours;
	struct udp_socket *datagrams = listen_udp(&at), *more;

	(void)state;
	assert_non_null(theirs);
	assert_non_null(datagrams);
	close(tcp.fd);
	close(udp.fd);
	tcp.fd = udp.fd = -1; /* to us they are strangers */
	assert_null(listen_tcp(&at));
	assert_int_equal(errno, EADDRINUSE);
	assert_null(listen_udp(&at));
	assert_int_equal(errno, EADDRINUSE);

	keeper.first = false; /* another worker of ours has it */
	ours = listen_tcp(&at);
	more = listen_udp(&at);
	assert_non_null(ours);
	assert_non_null(more);
	assert_int_equal(tcp.kept, 2);
	tcp_listener_free(ours);
	udp_socket_close(more);
	kept_set_keeper(NULL);
	tcp_listener_free(theirs);
	udp_socket_close(datagrams);
}

/* An inbound becomes another at its port: the first worker does it while the others have the old one. */
static void the_others_are_no_strangers_where_we_just_were(void **state)
{
	struct addr at = free_port();
	struct tcp_listener *ours = listen_tcp(&at), *theirs;
	struct udp_socket *datagrams = listen_udp(&at), *more;

	(void)state;
	assert_non_null(ours);
	assert_non_null(datagrams);
	close(tcp.fd);
	close(udp.fd);
	tcp.fd = udp.fd = -1;
	keeper.first = false;
	theirs = listen_tcp(&at);
	more = listen_udp(&at);
	assert_non_null(theirs);
	assert_non_null(more);

	keeper.first = true;
	tcp_listener_free(ours);
	udp_socket_close(datagrams);
	ours = listen_tcp(&at);
	datagrams = listen_udp(&at);
	assert_non_null(ours);
	assert_non_null(datagrams);
	tcp_listener_free(ours);
	udp_socket_close(datagrams);
	kept_set_keeper(NULL);
	tcp_listener_free(theirs);
	udp_socket_close(more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_waits_for_the_next_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_datagram_waits_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stranger_at_the_port_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_others_are_no_strangers_where_we_just_were, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
