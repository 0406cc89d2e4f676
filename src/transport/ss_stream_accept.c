/*
 * The server's beginning: from an accepted connection to a stream with a
 * target, or back to its owner with the reason.
 *
 * Order (SIP022): salt and fixed header in the first read → decrypt → type →
 * time → salt unseen → variable header. A salt is remembered only after the
 * header it came with was authentic, so a stranger can neither fill the store
 * nor learn whether a salt is in it. Whatever fails, the owner does the same
 * (it drains or resets), and nothing was written.
 *
 * A struct ss_accept is the stream itself in its first state. Until the target
 * is known `under` is read unit by unit; what follows the address in the same
 * unit waits in s->in, and all later bytes stay with `under`.
 */
#include <errno.h>
#include <string.h>

#include "transport/ss_stream_impl.h"

static struct ss_stream *stream_of(struct ss_accept *a)
{
	return (struct ss_stream *)(void *)a;
}

static void release_under(struct ss_stream *s)
{
	stream_want(s->under, false, false);
	stream_bind(s->under, NULL, NULL);
}

static void reject(struct ss_stream *s, enum flow_end why)
{
	const struct ss_accept_events *events;
	struct stream *under = s->under;
	void *owner;

	if (s->dead)
		return;
	events = s->begin->events;
	owner = s->begin->owner;
	release_under(s);
	ss_stream_discard(s);
	events->rejected(owner, under, why);
}

/* The settings of a stream that has been accepted: it needs none, and those it was
 * made with may change or go. */
static const struct ss_stream_config accepted_cfg;

static void on_user_changed(struct ss_user_holder *h, enum ss_user_change change)
{
	struct ss_stream *s = container_of(h, struct ss_stream, payer);

	/* One that is not accepted yet sees it when it comes to that. */
	if (change == SS_USER_REMOVED && s->cfg == &accepted_cfg)
		ss_stream_fail_later(s, END_REMOVED);
}

/* After the first unit: under whose key it came. A SIP022 unit has proven him, of a
 * SIP004 one he is the only user. False: the server has asked for identities since
 * this stream began without. */
static bool take_user(struct ss_stream *s)
{
	struct ss_user *user = s->begin->hs.user;
	size_t key_len = ss_stream_method(s)->key_len;

	if (!s->cfg->users) {
		memcpy(s->begin->key, s->cfg->key, key_len);
		return true;
	}
	if (s->payer.user)
		return true;
	if (!user)
		user = ss_users_anyone(s->cfg->users);
	if (!user)
		return false;
	ss_user_hold(user, &s->payer, on_user_changed);
	memcpy(s->begin->key, user->key, key_len);
	return true;
}

static void accept_now(struct ss_stream *s)
{
	const struct beginning *b = s->begin;
	struct target target = b->hs.target; /* the owner may end the stream and read on */
	struct ss_user *user = s->payer.user;

	if (user) {
		user->counters.tcp_flows++;
		user->counters.tcp_up += s->in.bytes; /* what came with the header */
	}
	s->cfg = &accepted_cfg;
	stream_want(s->under, false, false);
	ss_stream_establish(s);
	if (b->hs.asks_connect)
		ss_stream_owe_answer(s);
	b->events->accepted(b->owner, &s->stream, &target);
}

/* SIP022's fixed header, or SIP004's first box, was authentic: is its salt new? */
static int check_salt(struct ss_stream *s)
{
	const struct ss_method *m = ss_stream_method(s);
	const uint8_t *salt = s->begin->hs.salt;

	if (s->salt_checked || (s->opener.unit != SS_UNIT_REQUEST && s->opener.unit != SS_UNIT_CHUNK))
		return 0;
	s->salt_checked = true;
	if (m->sip022)
		return s->begin->salts ? salt_store_insert(s->begin->salts, salt, m->key_len, loop_now()) : 0;
	return !s->cfg->old_salts || salt_table_take(s->cfg->old_salts, salt, m->key_len) ? 0 : -EEXIST;
}

/* Opens units of one slice until the target is known. Returns bytes used, or -errno. */
static ssize_t read_request(struct ss_stream *s, const struct slice *v)
{
	struct ss_batch b = { .n = 0, .held = 0 };
	struct slice piece;
	uint32_t off = 0;
	int rc = 1;

	while (rc >= 0 && off < v->len && !s->opener.addressed) {
		rc = ss_stream_open_unit(s, v, &off, &piece, &b);
		if (rc == 1)
			rc = take_user(s) ? check_salt(s) : -EBADMSG;
		if (rc == 0 && s->opener.addressed && piece.len)
			rc = slice_queue_push(&s->in, &piece, 1);
		ss_batch_release(&b);
	}
	return rc < 0 ? rc : (ssize_t)off;
}

/* The first read must hold the whole first unit: a SIP022 client sends it so,
 * and whoever feeds us bytes one by one is probing. */
static bool header_split(const struct ss_stream *s, const struct slice *v)
{
	return ss_stream_method(s)->sip022 && !s->replied && v->len < s->opener.need;
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct ss_stream *s = owner;
	size_t used = 0;

	if (header_split(s, v)) {
		reject(s, END_TRUNCATED);
		return slices_len(v, n);
	}
	s->replied = true;
	for (int i = 0; i < n && !s->opener.addressed; i++) {
		ssize_t rc = read_request(s, &v[i]);

		if (rc < 0) {
			reject(s, ss_stream_end_of(s, (int)rc));
			return slices_len(v, n);
		}
		used += (size_t)rc;
	}
	if (s->opener.addressed && s->payer.user && s->payer.user->removed)
		reject(s, END_FORGED);
	else if (s->opener.addressed)
		accept_now(s);
	return used;
}

static void on_room(void *owner)
{
	(void)owner;
}

static void on_fin(void *owner)
{
	reject(owner, END_TRUNCATED);
}

static void on_ended(void *owner, enum flow_end why)
{
	reject(owner, why);
}

struct ss_user *ss_stream_user(const struct stream *s)
{
	return ss_stream_of(s)->payer.user;
}

struct ss_accept *ss_stream_accept(struct stream *under, const struct ss_stream_config *cfg, struct salt_store *salts,
				   const struct ss_accept_events *events, void *owner)
{
	static const struct stream_events under_events = { on_data, on_room, on_fin, on_ended };
	struct ss_stream *s = ss_stream_make(under, cfg, true);

	if (!s)
		return NULL;
	s->begin->salts = salts;
	s->begin->events = events;
	s->begin->owner = owner;
	stream_bind(under, &under_events, s);
	stream_want(under, true, false);
	return (struct ss_accept *)(void *)s;
}

void ss_stream_accept_cancel(struct ss_accept *a)
{
	struct ss_stream *s = stream_of(a);

	release_under(s);
	ss_stream_discard(s);
}
