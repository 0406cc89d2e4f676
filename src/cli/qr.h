/*
 * A text as a QR code, for the camera of a telephone. Nobody knows here that it
 * is a secret, but it is treated as one: what was drawn from is wiped.
 */
#ifndef GATUN_CLI_QR_H
#define GATUN_CLI_QR_H

#include <stdbool.h>
#include <stdio.h>

/* How wide the code is on a terminal, its quiet zone included: columns. -E2BIG: no code holds
 * so much; -ENOMEM. */
int qr_width(const char *text);
/* On a terminal, two rows of the code in a line. color: dark on light whatever the terminal's own
 * colours; without it what is light is drawn, as suits a dark terminal. 0, or as qr_width(). */
int qr_draw(const char *text, bool color, FILE *);
/* An SVG picture. 0, or as qr_width(). */
int qr_write_svg(const char *text, FILE *);

#endif
