/*
 * QR codes by libqrencode; see qr.h.
 *
 * A code is read where dark is darker than light and four light modules stand
 * around it (ISO/IEC 18004: the quiet zone). A terminal's cell is twice as high
 * as it is wide, so a half block is a square. Level L: a screen has no dirt on
 * it, and a smaller code is easier to catch.
 */
#include "cli/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <sodium.h>
#include <string.h>

#define QUIET 4

static QRcode *encode(const char *text, int *err)
{
	QRcode *qr = QRcode_encodeData((int)strlen(text), (const unsigned char *)text, 0, QR_ECLEVEL_L);

	*err = qr ? 0 : errno == ERANGE ? -E2BIG : -ENOMEM;
	return qr;
}

static void forget(QRcode *qr)
{
	sodium_memzero(qr->data, (size_t)(qr->width * qr->width));
	QRcode_free(qr);
}

/* x and y count from the code's corner: what is outside is light. */
static bool is_dark(const QRcode *qr, int x, int y)
{
	return x >= 0 && y >= 0 && x < qr->width && y < qr->width && qr->data[y * qr->width + x] & 1;
}

int qr_width(const char *text)
{
	int err, width;
	QRcode *qr = encode(text, &err);

	if (!qr)
		return err;
	width = qr->width + 2 * QUIET;
	forget(qr);
	return width;
}

static void draw_line(const QRcode *qr, int y, bool color, FILE *f)
{
	static const char *const halves[] = { " ", "▄", "▀", "█" }; /* lower, upper */

	if (color)
		fputs("\033[38;5;16;48;5;231m", f);
	for (int x = -QUIET; x < qr->width + QUIET; x++)
		fputs(halves[(is_dark(qr, x, y) == color) << 1 | (is_dark(qr, x, y + 1) == color)], f);
	fputs(color ? "\033[0m\n" : "\n", f);
}

int qr_draw(const char *text, bool color, FILE *f)
{
	int err;
	QRcode *qr = encode(text, &err);

	if (!qr)
		return err;
	for (int y = -QUIET; y < qr->width + QUIET; y += 2)
		draw_line(qr, y, color, f);
	forget(qr);
	return 0;
}

int qr_write_svg(const char *text, FILE *f)
{
	int err, all;
	QRcode *qr = encode(text, &err);

	if (!qr)
		return err;
	all = qr->width + 2 * QUIET;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">\n"
		"<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>\n<path d=\"",
		all, all, all, all);
	for (int y = 0; y < qr->width; y++)
		for (int x = 0; x < qr->width; x++)
			if (is_dark(qr, x, y))
				fprintf(f, "M%d %dh1v1h-1z", x + QUIET, y + QUIET);
	fputs("\"/>\n</svg>\n", f);
	forget(qr);
	return 0;
}
