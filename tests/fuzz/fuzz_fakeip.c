/*
 * The file of fake addresses, as a crash or an enemy left it, and as he goes on to
 * change it while it is open. Whatever stands there: the chains of the map are whole, each
 * index is one of the map's, and an address leads to a name or to nothing.
 */
#include "fuzz.h"

#include <stdio.h>
#include <unistd.h>

#include "resolve/fakeip_impl.h"

#define NAMES_MAX 40u
#define PAGE 4096u
#define STEP_MS (FAKEIP_ANSWERED_MS / 4)

/* In memory: a disk is a hundred times slower. */
static char directory[] = "/dev/shm/fuzz-fakeip.XXXXXX", path[64], old_path[72];

static void clean(void)
{
	unlink(path);
	unlink(old_path);
	rmdir(directory);
}

static void begin(void)
{
	if (path[0])
		return;
	must(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/names", directory);
	snprintf(old_path, sizeof(old_path), "%s.old", path);
	atexit(clean);
}

/* ---- the file ---- */

/* The sums that gatun would write: the key stands in the file, for an enemy too. */
static void repair(struct fakeip_head *h, struct fakeip_record *records, size_t n)
{
	memcpy(h->magic, FAKEIP_MAGIC, sizeof(FAKEIP_MAGIC));
	h->record_size = sizeof(*records);
	crypto_shorthash(h->sum, (const uint8_t *)h, offsetof(struct fakeip_head, sum), h->key);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t text[sizeof(i) + 1 + 255];

		memcpy(text, &i, sizeof(i));
		text[sizeof(i)] = records[i].len;
		memcpy(text + sizeof(i) + 1, records[i].name, records[i].len);
		crypto_shorthash(records[i].sum, text, sizeof(i) + 1 + records[i].len, h->key);
	}
}

/* Head and records stand one behind the other in the input, a page apart in the file. */
static void write_file(struct input *in, int sound)
{
	struct fakeip_head head = { 0 };
	size_t head_len = in->left < sizeof(head) ? in->left : sizeof(head), len;
	uint8_t *records;
	FILE *f;

	input_copy(in, &head, head_len);
	len = in->left;
	records = input_block(in, len);
	if (sound)
		repair(&head, (struct fakeip_record *)(void *)records, len / sizeof(struct fakeip_record));
	f = fopen(path, "w");
	must(f && fwrite(&head, 1, sound ? sizeof(head) : head_len, f) <= sizeof(head));
	if (len)
		must(fseek(f, PAGE, SEEK_SET) == 0 && fwrite(records, 1, len, f) == len);
	must(fclose(f) == 0);
	free(records);
}

/* ---- the map ---- */

static void check_chains(const struct fakeip *f)
{
	const struct fakeip_common *c = f->common;
	uint32_t n = 0;

	must(c->count <= c->room && c->room <= f->max);
	for (uint32_t b = 0; b < FAKEIP_BUCKETS; b++)
		for (uint32_t at = c->buckets[b]; at; at = c->slots[at - 1].next) {
			must(at <= c->count && c->slots[at - 1].bucket == b + 1);
			must(++n <= c->count); /* else it goes round */
		}
	must(n == c->live);
}

static void check_address(const struct fakeip *f, struct addr a)
{
	char name[256];
	uint32_t index = UINT32_MAX;
	uint8_t len = fakeip_find(f, &a, name, &index);

	must(fakeip_is_fake(f, &a));
	must(!len || (index < f->common->count && strlen(name) == len));
}

static void assign(struct fakeip *f, uint8_t which, uint8_t len, uint64_t now_ms)
{
	char name[256];
	uint32_t index = UINT32_MAX;
	int err;

	memset(name, 'a' + which % 26, sizeof(name));
	name[0] = (char)('0' + which / 26);
	err = fakeip_assign(f, name, len ? len : 1, now_ms, &index);
	must(err ? index == UINT32_MAX || index < f->max : index < f->common->count);
}

/* An enemy's hand, or a bad disk's. */
static void spoil(struct fakeip *f, uint8_t index, uint8_t offset, uint8_t value)
{
	((uint8_t *)&f->records[index % f->common->room])[offset] = value;
}

static void step(struct fakeip *f, struct input *in, uint64_t *now_ms)
{
	uint8_t what = input_byte(in), a = input_byte(in), b = input_byte(in);

	switch (what % 8) {
	case 0:
	case 1:
		assign(f, a, b, *now_ms);
		break;
	case 2:
		if (f->common->count)
			fakeip_touch(f, a % f->common->count, *now_ms);
		break;
	case 3:
		fakeip_flush(f, *now_ms);
		break;
	case 4:
		spoil(f, a, b, (uint8_t)(a * 31 + b));
		break;
	case 5:
		spoil(f, a, offsetof(struct fakeip_record, len), b);
		break;
	case 6:
		*now_ms += b * STEP_MS;
		break;
	case 7:
		fakeip_rebuild(f, *now_ms); /* somebody was killed with the lock */
		break;
	}
	check_address(f, fakeip_v4(f, a % NAMES_MAX, 0));
	check_address(f, fakeip_v6(f, b % NAMES_MAX, 0));
}

static struct fakeip *open_map(int own_range, uint64_t now_ms)
{
	static const uint8_t four[4] = { 10, 1, 2 }, six[16] = { 0xfd, 1 };
	struct fakeip_options o = { .max = NAMES_MAX };
	enum fakeip_found found;
	int err;

	if (own_range) {
		o.net4 = addr_v4(four, 0);
		o.net6 = addr_v6(six, 0);
		o.len4 = 24;
		o.len6 = 64;
	}
	return fakeip_open(&o, path, now_ms, &found, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size }, steps;
	uint8_t flags = input_byte(&in), n = input_byte(&in);
	uint64_t now_ms = 1000;
	uint8_t *block = input_block(&in, 3u * n);
	struct fakeip *f;

	begin();
	steps = (struct input){ block, 3u * n };
	write_file(&in, flags & 1);
	f = open_map(flags & 2, now_ms);
	must(f != NULL); /* whatever it was, there is a map in the end */
	check_chains(f);
	while (steps.left) {
		step(f, &steps, &now_ms);
		check_chains(f);
	}
	fakeip_free(f);
	f = open_map(flags & 2, now_ms);
	must(f != NULL);
	check_chains(f);
	fakeip_free(f);
	unlink(path);
	unlink(old_path);
	free(block);
	return 0;
}
