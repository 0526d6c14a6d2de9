#include "backends/base/xml.h"
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <limits.h>
#include <pthread.h>

#define DOCUMENT_BYTES_MAX ((size_t)64 << 20)
#define DEPTH_MAX	   32
#define PATH_BYTES_MAX	   4096
#define TEXT_BYTES_MAX	   ((size_t)1 << 20)

struct parse {
	const struct xml_handler *handler;
	xmlParserCtxtPtr parser;
	struct buf path;	     /* of the innermost open element */
	size_t parents[DEPTH_MAX];   /* length of path before each open element */
	unsigned depth;
	struct buf text;	     /* own text of the innermost open element */
	bool has_child;		     /* the innermost open element has (or had) elements inside */
	int result;		     /* negative: parsing was stopped by us, err is filled */
	struct error *err;
};

static void stop(struct parse *p, int result)
{
	if (p->result == 0)
		p->result = result;
	xmlStopParser(p->parser);
}

static int out_of_bounds(struct parse *p, int r, const char *what)
{
	if (r == -ENOMEM)
		return error_set(p->err, ERR_NO_MEMORY, "out of memory");
	return error_set(p->err, ERR_PROTOCOL, "XML with %s", what);
}

static int enter(struct parse *p, const char *name)
{
	if (p->depth == DEPTH_MAX)
		return out_of_bounds(p, 0, "elements nested too deep");
	p->parents[p->depth] = p->path.len;
	int r = p->depth > 0 ? buf_addc(&p->path, '/') : 0;
	if (r == 0)
		r = buf_adds(&p->path, name);
	if (r < 0)
		return out_of_bounds(p, r, "element names that are too long");
	p->depth++;
	p->has_child = false;
	buf_clear(&p->text);
	if (!p->handler->start)
		return 0;
	return p->handler->start(p->handler->arg, buf_cstr(&p->path), p->err);
}

static int leave(struct parse *p)
{
	const struct xml_handler *h = p->handler;
	int r = 0;
	if (!p->has_child && h->text)
		r = h->text(h->arg, buf_cstr(&p->path), buf_str(&p->text), p->err);
	if (r >= 0 && h->end)
		r = h->end(h->arg, buf_cstr(&p->path), p->err);
	p->depth--;
	p->path.len = p->parents[p->depth];
	p->path.data[p->path.len] = '\0';
	p->has_child = true; /* of the parent, which is the innermost open one now */
	buf_clear(&p->text);
	return r < 0 ? r : 0;
}

/* Five pointers each: local name, prefix, URI, and where the value begins and ends. */
static int tell_attributes(struct parse *p, const xmlChar **attributes, int count)
{
	int r = 0;

	for (int i = 0; r >= 0 && i < count; i++) {
		const xmlChar **one = attributes + (size_t)i * 5;
		struct str value = { (const char *)one[3], (size_t)(one[4] - one[3]) };

		r = p->handler->attribute(p->handler->arg, buf_cstr(&p->path), (const char *)one[0], value,
					  p->err);
	}
	return r;
}

/* libxml2 may still call a handler or two after xmlStopParser: they do nothing then. */
static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
		     int namespace_count, const xmlChar **namespaces, int attribute_count,
		     int defaulted_count, const xmlChar **attributes)
{
	struct parse *p = arg;
	(void)prefix, (void)uri, (void)namespace_count, (void)namespaces, (void)defaulted_count;
	if (p->result < 0)
		return;
	int r = enter(p, (const char *)name);
	if (r >= 0 && p->handler->attribute)
		r = tell_attributes(p, attributes, attribute_count);
	if (r < 0)
		stop(p, r);
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct parse *p = arg;
	(void)name, (void)prefix, (void)uri;
	if (p->result < 0 || p->depth == 0)
		return;
	int r = leave(p);
	if (r < 0)
		stop(p, r);
}

static void on_text(void *arg, const xmlChar *text, int len)
{
	struct parse *p = arg;
	if (p->result < 0 || p->has_child || p->depth == 0)
		return;
	int r = buf_add(&p->text, text, (size_t)len);
	if (r < 0)
		stop(p, out_of_bounds(p, r, "an element of more than 1 MiB of text"));
}

/* Called at "<!DOCTYPE", before anything inside it is read: no entity is ever defined. */
static void on_doctype(void *arg, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
	struct parse *p = arg;
	(void)name, (void)id, (void)uri;
	if (p->result == 0)
		stop(p, out_of_bounds(p, 0, "a document type declaration"));
}

static xmlSAXHandler sax = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = on_doctype,
	.startElementNs = on_start,
	.endElementNs = on_end,
	.characters = on_text,
	.ignorableWhitespace = on_text, /* the same, or libxml2 guesses which blanks count */
	.cdataBlock = on_text,
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

static int malformed(struct parse *p)
{
	const xmlError *why = xmlCtxtGetLastError(p->parser);
	if (!why || !why->message)
		return error_set(p->err, ERR_PROTOCOL, "malformed XML");
	if (why->code == XML_ERR_NO_MEMORY)
		return error_set(p->err, ERR_NO_MEMORY, "out of memory");
	struct str text = str_trim(str_of(why->message));
	return error_set(p->err, ERR_PROTOCOL, "malformed XML in line %d: %.*s", why->line,
			 (int)(text.len < 160 ? text.len : 160), text.ptr);
}

static int run_parser(struct parse *p, struct str document)
{
	p->parser = xmlCreateMemoryParserCtxt(document.ptr, (int)document.len);
	if (!p->parser)
		return error_set(p->err, ERR_NO_MEMORY, "out of memory");
	*p->parser->sax = sax;
	p->parser->userData = p;
	(void)xmlCtxtUseOptions(p->parser, XML_PARSE_NONET | XML_PARSE_NOERROR |
						   XML_PARSE_NOWARNING); /* all are known */
	(void)xmlParseDocument(p->parser); /* wellFormed says more than its result */
	int r = p->result;
	if (r == 0 && !p->parser->wellFormed)
		r = malformed(p);
	if (p->parser->myDoc)
		xmlFreeDoc(p->parser->myDoc);
	xmlFreeParserCtxt(p->parser);
	return r;
}

int xml_parse(struct str document, const struct xml_handler *handler, struct error *err)
{
	struct error unused = ERROR_INIT;
	if (!err)
		err = &unused; /* handlers always get a real one */
	if (document.len > DOCUMENT_BYTES_MAX)
		return error_set(err, ERR_PROTOCOL, "XML of %zu bytes is too large", document.len);
	if (document.len == 0)
		return error_set(err, ERR_PROTOCOL, "malformed XML: nothing there");
	(void)pthread_once(&init_once, xmlInitParser); /* fails only on a bad argument */
	struct parse p = {
		.handler = handler,
		.path = BUF_INIT(PATH_BYTES_MAX),
		.text = BUF_INIT(TEXT_BYTES_MAX),
		.err = err,
	};
	int r = run_parser(&p, document);
	buf_release(&p.path);
	buf_release(&p.text);
	return r;
}

struct find {
	const char *path;
	struct buf *ret;
	bool is_found;
};

static int find_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct find *f = arg;
	if (f->is_found || strcmp(path, f->path) != 0)
		return 0;
	buf_clear(f->ret);
	int r = buf_add_str(f->ret, text);
	if (r == -ENOMEM)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0)
		return error_set(err, ERR_PROTOCOL, "XML element '%s' is too long", path);
	f->is_found = true;
	return 0;
}

int xml_find(struct str document, const char *path, struct buf *ret, struct error *err)
{
	struct find f = { .path = path, .ret = ret };
	const struct xml_handler handler = { .text = find_text, .arg = &f };
	int r = xml_parse(document, &handler, err);
	if (r < 0)
		return r;
	if (!f.is_found)
		return error_set(err, ERR_NOT_FOUND, "no XML element '%s'", path);
	return 0;
}

static int escape_byte(unsigned char c, struct buf *out)
{
	switch (c) {
	case '&':
		return buf_adds(out, "&amp;");
	case '<':
		return buf_adds(out, "&lt;");
	case '>':
		return buf_adds(out, "&gt;");
	case '"':
		return buf_adds(out, "&quot;");
	case '\'':
		return buf_adds(out, "&apos;");
	default:
		return buf_addf(out, "&#%u;", c);
	}
}

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == 0x7f || c == '&' || c == '<' || c == '>' || c == '"' || c == '\'';
}

int xml_escape(struct str text, struct buf *out)
{
	const size_t old_len = out->len;
	int r = 0;
	for (size_t i = 0; i < text.len && r == 0;) {
		size_t plain = i;
		while (plain < text.len && !needs_escape((unsigned char)text.ptr[plain]))
			plain++;
		r = buf_add(out, text.ptr + i, plain - i);
		if (r == 0 && plain < text.len)
			r = escape_byte((unsigned char)text.ptr[plain++], out);
		i = plain;
	}
	if (r < 0 && out->data) { /* all or nothing */
		out->len = old_len;
		out->data[old_len] = '\0';
	}
	return r;
}
