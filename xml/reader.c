/*
 * xml/reader.c - the XML parser's callbacks, and the limits around it. See reader.h.
 *
 * No document tree is built, so memory is bounded by one tag. Must not know what elements mean.
 */
#include "xml/reader.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "xml/memory.h"

#define PIECE 4096	/* octets handed to the parser at a time */

struct xml_reader {
	struct xml_handler handler;
	struct xml_diag *diag;
	xmlParserCtxtPtr parser;
	enum mib_err err;	/* the first refusal */
	size_t octets;		/* of the file, so far */
	unsigned newlines;	/* in them */
	size_t quiet;		/* octets since the parser last told anything */
	unsigned long lacks;	/* of memory, when it began */
};

static unsigned here(const struct xml_reader *r)
{
	int line = xmlSAX2GetLineNumber(r->parser);

	return line > 0 ? (unsigned)line : 1;
}

static void stop(struct xml_reader *r, enum mib_err err)
{
	if (!r->err)
		r->err = err;
	xmlStopParser(r->parser);
}

static void refuse(struct xml_reader *r, enum mib_err err, const char *why)
{
	if (!r->err) {
		r->diag->line = here(r);
		mib_diag_set(&r->diag->diag, NULL, NULL, 0, "%s", why);
	}
	stop(r, err);
}

/* Nothing is the matter so far; what the parser says without memory may be wrong. */
static bool is_well(struct xml_reader *r)
{
	if (!r->err && xml_memory_lacks() != r->lacks)
		refuse(r, MIB_RESOURCE_UNAVAILABLE, "out of memory");
	return !r->err;
}

/* ---- what the parser tells ---- */

static void document_started(void *arg)
{
	struct xml_reader *r = arg;
	const xmlChar *named = r->parser->encoding ? r->parser->encoding
						   : r->parser->input->encoding;

	r->quiet = 0;
	if (named && xmlStrcasecmp(named, BAD_CAST "UTF-8") != 0)
		refuse(r, MIB_WRONG_ENCODING, "the file must be UTF-8");
}

static void document_type(void *arg, const xmlChar *name, const xmlChar *external,
			  const xmlChar *system)
{
	(void)name;
	(void)external;
	(void)system;
	refuse(arg, MIB_WRONG_ENCODING, "a document type declaration is not accepted");
}

static void element_opened(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *ns,
			   int n_ns, const xmlChar **declared, int n_attributes, int n_defaulted,
			   const xmlChar **attributes)
{
	struct xml_reader *r = arg;
	enum mib_err err;

	(void)prefix;
	(void)n_ns;
	(void)declared;
	(void)n_defaulted;
	(void)attributes;
	r->quiet = 0;
	if (!is_well(r))
		return;
	/* One that asks for something, as NETCONF's operation="delete", must not be passed over. */
	if (n_attributes > 0) {
		refuse(r, MIB_WRONG_ENCODING, "attributes other than xmlns are not accepted");
		return;
	}
	err = r->handler.open(r->handler.arg, (const char *)name, ns ? (const char *)ns : "",
			       here(r));
	if (err)
		stop(r, err);
}

static void element_closed(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *ns)
{
	struct xml_reader *r = arg;
	enum mib_err err;

	(void)name;
	(void)prefix;
	(void)ns;
	r->quiet = 0;
	if (!is_well(r))
		return;
	err = r->handler.close(r->handler.arg, here(r));
	if (err)
		stop(r, err);
}

static void text_read(void *arg, const xmlChar *text, int len)
{
	struct xml_reader *r = arg;
	enum mib_err err;

	r->quiet = 0;
	if (!is_well(r))
		return;
	err = r->handler.text(r->handler.arg, (const char *)text, (size_t)len, here(r));
	if (err)
		stop(r, err);
}

static void comment_read(void *arg, const xmlChar *text)
{
	struct xml_reader *r = arg;

	(void)text;
	r->quiet = 0;
}

static void instruction_read(void *arg, const xmlChar *target, const xmlChar *data)
{
	(void)target;
	(void)data;
	refuse(arg, MIB_WRONG_ENCODING, "processing instructions are not accepted");
}

static void parser_complains(void *arg, xmlErrorPtr e)
{
	struct xml_reader *r = arg;

	if (!is_well(r) || e->level < XML_ERR_ERROR)
		return;
	r->err = MIB_WRONG_ENCODING;
	r->diag->line = e->line > 0 ? (unsigned)e->line : 1;
	mib_diag_set(&r->diag->diag, NULL, NULL, 0, "not well-formed XML: %.*s",
		     e->message ? (int)strcspn(e->message, "\n") : 0, e->message ? e->message : "");
}

/* ---- feeding it ---- */

/* Octets by which the parser would take the file for UTF-16, UTF-32 or EBCDIC. */
static bool is_other_encoding(const struct xml_reader *r, const unsigned char *piece, size_t len)
{
	static const unsigned char firsts[] = { 0xfe, 0xff, 0x4c };

	if (memchr(piece, 0, len))
		return true;
	return r->octets == 0 && len > 0 && memchr(firsts, piece[0], sizeof(firsts));
}

static unsigned count_newlines(const unsigned char *piece, const unsigned char *end)
{
	unsigned n = 0;

	for (; piece < end; piece++)
		n += *piece == '\n';
	return n;
}

static void feed(struct xml_reader *r, const unsigned char *piece, size_t len)
{
	if (len > XML_FILE_MAX - r->octets) {
		refuse(r, MIB_WRONG_LENGTH, "the file is too large");
	} else if (is_other_encoding(r, piece, len)) {
		const unsigned char *nul = memchr(piece, 0, len);

		/* The parser has not come as far as the piece, so it does not know the line. */
		refuse(r, MIB_WRONG_ENCODING, "the file must be UTF-8, without NUL octets");
		r->diag->line = 1 + r->newlines + count_newlines(piece, nul ? nul : piece);
	} else {
		r->quiet += len;
		xmlParseChunk(r->parser, (const char *)piece, (int)len, 0);
		if (is_well(r) && r->quiet > XML_MARKUP_MAX)
			refuse(r, MIB_WRONG_LENGTH, "a tag or comment is too long");
		r->octets += len;
		r->newlines += count_newlines(piece, piece + len);
	}
}

enum mib_err xml_reader_feed(struct xml_reader *r, const unsigned char *octets, size_t len)
{
	while (!r->err && len > 0) {
		const size_t n = len < PIECE ? len : PIECE;

		feed(r, octets, n);
		octets += n;
		len -= n;
	}
	return r->err;
}

enum mib_err xml_reader_end(struct xml_reader *r)
{
	if (r->err)
		return r->err;
	xmlParseChunk(r->parser, NULL, 0, 1);
	/* The parser's own word, should it have failed without saying why. */
	if (is_well(r) && !r->parser->wellFormed)
		refuse(r, MIB_RESOURCE_UNAVAILABLE, "the XML parser gave up");
	return r->err;
}

void xml_reader_free(struct xml_reader *r)
{
	if (!r)
		return;
	xmlFreeParserCtxt(r->parser);
	free(r);
}

enum mib_err xml_reader_new(const struct xml_handler *h, struct xml_diag *diag,
			    struct xml_reader **out)
{
	xmlSAXHandler sax = {
		.initialized = XML_SAX2_MAGIC,
		.startDocument = document_started,
		.internalSubset = document_type,
		.startElementNs = element_opened,
		.endElementNs = element_closed,
		.characters = text_read,
		.ignorableWhitespace = text_read,
		.cdataBlock = text_read,
		.comment = comment_read,
		.processingInstruction = instruction_read,
		.serror = parser_complains,
	};
	struct xml_reader *r = calloc(1, sizeof(*r));

	if (r) {
		/* A parser that finds no memory complains before it is there. */
		r->handler = *h;
		r->diag = diag;
		r->lacks = xml_memory_lacks();
		r->parser = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
	}
	if (!r || !r->parser || !is_well(r)) {
		xml_reader_free(r);
		*diag = (struct xml_diag){ 0 };
		mib_diag_set(&diag->diag, NULL, NULL, 0, "out of memory");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	xmlCtxtUseOptions(r->parser, XML_PARSE_NONET);
	*out = r;
	return MIB_OK;
}
