/* Collecting and printing problems; see problem.h. */
#include "conf/problem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"

static const char *const kind_names[] = { "error", "warning", "advice" };

void problem_add(struct problems *p, enum problem_kind kind, conf_place place, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text)
		die(1, "out of memory");
	p->items = array_grow_or_die(p->items, p->n, sizeof(*p->items));
	p->items[p->n++] = (struct problem){ .kind = kind, .place = place, .text = text };
	p->n_errors += kind == PROBLEM_ERROR;
}

void problem_locate(const char *text, size_t len, conf_place place, int *line, int *column)
{
	*line = *column = 1;
	for (size_t i = 0; i + 1 < place && i < len; i++) {
		if (text[i] == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			++*column;
		}
	}
}

/* Insertion sort by place: stable, and there are few. Those without one go last. */
static void sort_by_place(struct problems *p)
{
	for (int i = 1; i < p->n; i++) {
		struct problem item = p->items[i];
		int at = i;

		for (; at > 0 && p->items[at - 1].place - 1 > item.place - 1; at--)
			p->items[at] = p->items[at - 1];
		p->items[at] = item;
	}
}

/* A place that was located, from which later ones are counted on. */
struct located {
	conf_place place;
	int line, column;
};

static void locate_from(const struct problems *p, struct located *l, conf_place place)
{
	int line, column;

	problem_locate(p->text + l->place - 1, p->text_len - (l->place - 1), place - l->place + 1, &line, &column);
	l->column = line == 1 ? l->column + column - 1 : column;
	l->line += line - 1;
	l->place = place;
}

static void print_one(const struct problems *p, const struct problem *item, struct located *l, FILE *out)
{
	if (!p->source) {
		fprintf(out, "gatun: %s%s%s\n", item->kind == PROBLEM_ERROR ? "" : kind_names[item->kind],
			item->kind == PROBLEM_ERROR ? "" : ": ", item->text);
		return;
	}
	fprintf(out, "%s:", p->source);
	if (item->place && p->text) {
		locate_from(p, l, item->place);
		fprintf(out, "%d:%d:", l->line, l->column);
	}
	fprintf(out, " %s: %s\n", kind_names[item->kind], item->text);
}

/* Servers that share a key share its problems. */
static bool is_same(const struct problem *a, const struct problem *b)
{
	return a->place == b->place && strcmp(a->text, b->text) == 0;
}

void problems_print(struct problems *p, enum problem_kind least, FILE *out)
{
	struct located l = { 1, 1, 1 };

	sort_by_place(p);
	for (int i = 0; i < p->n; i++)
		if (p->items[i].kind <= least && !(i && is_same(&p->items[i - 1], &p->items[i])))
			print_one(p, &p->items[i], &l, out);
}

void problems_free(struct problems *p)
{
	for (int i = 0; i < p->n; i++)
		free(p->items[i].text);
	free(p->items);
	*p = (struct problems){ 0 };
}
