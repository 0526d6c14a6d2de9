#include "backends/base/xml.h"
#include "backends/base/clock.h"
#include "check.h"
#include <stdio.h>

/* Writes all calls down: "+path", "path=text", "-path". */
static int note_start(void *arg, const char *path, struct error *err)
{
	(void)err;
	return buf_addf(arg, "+%s ", path);
}

static int note_text(void *arg, const char *path, struct str text, struct error *err)
{
	(void)err;
	return buf_addf(arg, "%s=%.*s ", path, (int)text.len, text.ptr);
}

static int note_end(void *arg, const char *path, struct error *err)
{
	(void)err;
	return buf_addf(arg, "-%s ", path);
}

static void assert_calls(struct str document, const char *expect)
{
	CLEANUP(buf_release) struct buf calls = BUF_INIT(1 << 20);
	const struct xml_handler handler = {
		.start = note_start, .text = note_text, .end = note_end, .arg = &calls
	};
	struct error err = ERROR_INIT;
	int r = xml_parse(document, &handler, &err);
	if (r < 0)
		print_error("%s\n", err.message);
	assert_int_equal(r, 0);
	assert_string_equal(buf_cstr(&calls), expect);
}

static void assert_refused(struct str document, const char *why)
{
	const struct xml_handler nothing = {0};
	struct error err = ERROR_INIT;
	int r = xml_parse(document, &nothing, &err);
	if (r == 0)
		print_error("accepted: %.*s\n", (int)(document.len < 99 ? document.len : 99), document.ptr);
	assert_int_equal(r, -EIO);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	if (!strstr(err.message, why))
		fail_msg("'%s' does not say '%s'", err.message, why);
	assert_null(strchr(err.message, '\n'));
}

static void elements_come_with_their_paths_and_own_text(void **state)
{
	(void)state;
	assert_calls(STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			 "<L xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\" a='1'>\n"
			 "  <N> b </N><!-- c --><E/><C><K>x</K><K></K></C>\n</L>\n"),
		     "+L +L/N L/N= b  -L/N +L/E L/E= -L/E +L/C +L/C/K L/C/K=x -L/C/K "
		     "+L/C/K L/C/K= -L/C/K -L/C -L ");
}

static void namespaces_and_prefixes_are_ignored(void **state)
{
	(void)state;
	assert_calls(STR("<D:multistatus xmlns:D=\"DAV:\"><D:href>x</D:href></D:multistatus>"),
		     "+multistatus +multistatus/href multistatus/href=x -multistatus/href -multistatus ");
}

static void predefined_entities_references_and_cdata_become_text(void **state)
{
	(void)state;
	assert_calls(STR("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x20ac;<![CDATA[<&]]>&#13;\n</a>"),
		     "+a a=<>&\"'A\xe2\x82\xac<&\r\n -a ");
	assert_calls(STR("<a>  <!-- only blanks -->  </a>"), "+a a=     -a ");
}

static void other_encodings_arrive_as_utf8(void **state)
{
	(void)state;
	assert_calls(STR("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xfc</a>"), "+a a=\xc3\xbc -a ");
	assert_calls(STR("\xff\xfe<\0a\0>\0\xac\x20<\0/\0a\0>\0"), "+a a=\xe2\x82\xac -a ");
	assert_calls(STR("\xef\xbb\xbf<a>x</a>"), "+a a=x -a ");
}

static void every_document_type_declaration_is_refused(void **state)
{
	(void)state;
	assert_refused(STR("<!DOCTYPE a><a/>"), "document type");
	assert_refused(STR("<?xml version=\"1.0\"?>\n<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"),
		       "document type");
	assert_refused(STR("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>"),
		       "document type");
	assert_refused(STR("<!DOCTYPE a PUBLIC \"p\" \"http://127.0.0.1:9/x.dtd\"><a/>"), "document type");
	/* the same in UTF-16, which no search for the letters would see */
	static const char plain[] = "<!DOCTYPE a><a/>";
	char wide[2 + 2 * (sizeof(plain) - 1)] = "\xff\xfe";
	for (size_t i = 0; i < sizeof(plain) - 1; i++) {
		wide[2 + 2 * i] = plain[i];
		wide[3 + 2 * i] = '\0';
	}
	assert_refused((struct str){ wide, sizeof(wide) }, "document type");
}

static void an_entity_bomb_is_refused_before_it_is_read(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	assert_int_equal(buf_adds(&b, "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY l0 \"lol\">"), 0);
	for (int i = 1; i < 30; i++) {
		assert_int_equal(buf_addf(&b, "<!ENTITY l%d \"", i), 0);
		for (int k = 0; k < 10; k++)
			assert_int_equal(buf_addf(&b, "&l%d;", i - 1), 0);
		assert_int_equal(buf_adds(&b, "\">"), 0);
	}
	assert_int_equal(buf_adds(&b, "]><a>&l29;</a>"), 0);
	uint64_t begin = clock_mono_ms();
	assert_refused(buf_str(&b), "document type");
	assert_true(clock_mono_ms() - begin < 5000);
}

static void undefined_entities_are_refused(void **state)
{
	(void)state;
	assert_refused(STR("<a>&nbsp;</a>"), "malformed");
	assert_refused(STR("<a b='&x;'/>"), "malformed");
	assert_refused(STR("<a>&#0;</a>"), "malformed");
	assert_refused(STR("<a>&#x110000;</a>"), "malformed");
}

static void what_is_no_xml_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", " ", "x", "{}", "<", "<a", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "<a b></a>",
		"<a b='1' b='2'/>", "<a><b></a></b>", "<?xml version='1.0'?>", "<a>\xff</a>", "<a>\x01</a>",
		"<a>]]></a>", "<!-- -- --><a/>", "<a><![CDATA[x</a>", "<html><br></html>", "<1/>",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_refused(str_of(bad[i]), "malformed");
	assert_refused(STR("<a>\0</a>"), "malformed");
}

static void nesting_up_to_32_is_read_and_more_is_refused(void **state)
{
	(void)state;
	for (int depth = 30; depth < 36; depth++) {
		CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
		for (int i = 0; i < depth; i++)
			assert_int_equal(buf_adds(&b, "<a>"), 0);
		for (int i = 0; i < depth; i++)
			assert_int_equal(buf_adds(&b, "</a>"), 0);
		const struct xml_handler nothing = {0};
		if (depth <= 32)
			assert_int_equal(xml_parse(buf_str(&b), &nothing, NULL), 0);
		else
			assert_refused(buf_str(&b), "nested too deep");
	}
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	while (b.len < 900000)
		assert_int_equal(buf_adds(&b, "<a>"), 0);
	assert_refused(buf_str(&b), "nested too deep");
}

static void text_and_names_are_bounded(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(8 << 20), ret = BUF_INIT(2 << 20);
	assert_int_equal(buf_adds(&b, "<a>"), 0);
	while (b.len < 3 + (1 << 20))
		assert_int_equal(buf_addc(&b, 'x'), 0);
	assert_int_equal(buf_adds(&b, "</a>"), 0);
	assert_int_equal(xml_find(buf_str(&b), "a", &ret, NULL), 0);
	assert_int_equal(ret.len, 1 << 20);
	b.len -= 4;
	assert_int_equal(buf_adds(&b, "x</a>"), 0);
	assert_refused(buf_str(&b), "1 MiB");
	buf_clear(&b);
	assert_int_equal(buf_adds(&b, "<"), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_addc(&b, 'n'), 0);
	assert_int_equal(buf_adds(&b, "/>"), 0);
	assert_refused(buf_str(&b), "too long");
}

static void a_big_listing_is_read_in_reasonable_time(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf b = BUF_INIT(32 << 20), ret = BUF_INIT(100);
	assert_int_equal(buf_adds(&b, "<L>"), 0);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(buf_addf(&b, "<Contents><Key>k%d</Key><Size>%d</Size></Contents>\n", i, i),
				 0);
	assert_int_equal(buf_adds(&b, "<End>yes</End></L>"), 0);
	uint64_t begin = clock_mono_ms();
	assert_int_equal(xml_find(buf_str(&b), "L/End", &ret, NULL), 0);
	assert_true(clock_mono_ms() - begin < 10000);
}

static int refuse(void *arg, const char *path, struct error *err)
{
	++*(int *)arg;
	return error_set(err, ERR_QUOTA, "no more '%s'", path);
}

static void a_handler_that_fails_ends_the_reading_with_its_error(void **state)
{
	(void)state;
	struct error err = ERROR_INIT;
	int calls = 0;
	const struct xml_handler at_start = { .start = refuse, .arg = &calls };
	const struct xml_handler at_end = { .end = refuse, .arg = &calls };
	assert_int_equal(xml_parse(STR("<a><b/><c/></a>"), &at_start, &err), -EDQUOT);
	assert_string_equal(err.message, "no more 'a'");
	assert_int_equal(calls, 1);
	assert_int_equal(xml_parse(STR("<a><b/><c/></a>"), &at_end, &err), -EDQUOT);
	assert_string_equal(err.message, "no more 'a/b'");
	assert_int_equal(calls, 2);
	assert_int_equal(xml_parse(STR("<a/>"), &at_end, NULL), -EDQUOT);
}

static void the_first_element_of_a_path_is_found(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf ret = BUF_INIT(10);
	struct error err;
	struct str doc = STR("<Error><Code>NoSuchKey</Code><Code>2</Code><Sub><Code>3</Code></Sub></Error>");
	assert_int_equal(xml_find(doc, "Error/Code", &ret, &err), 0);
	assert_string_equal(buf_cstr(&ret), "NoSuchKey");
	assert_int_equal(xml_find(doc, "Error/Sub/Code", &ret, &err), 0);
	assert_string_equal(buf_cstr(&ret), "3");
	assert_int_equal(xml_find(doc, "Error/Message", &ret, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(xml_find(doc, "Code", &ret, &err), -ENOENT);
	assert_int_equal(xml_find(STR("<a>12345678901</a>"), "a", &ret, &err), -EIO);
	assert_int_equal(xml_find(STR("<a>1</b>"), "a", &ret, &err), -EIO);
}

static void escaped_text_comes_back_as_it_was(void **state)
{
	(void)state;
	CLEANUP(buf_release) struct buf doc = BUF_INIT(1000), ret = BUF_INIT(1000);
	static const char text[] = "a<b>&\"c'\t\r\n]]> \x7f \xe2\x82\xac &amp;";
	assert_int_equal(buf_adds(&doc, "<k>"), 0);
	assert_int_equal(xml_escape(str_of(text), &doc), 0);
	assert_int_equal(buf_adds(&doc, "</k>"), 0);
	assert_int_equal(xml_find(buf_str(&doc), "k", &ret, NULL), 0);
	assert_string_equal(buf_cstr(&ret), text);
	buf_clear(&doc);
	assert_int_equal(xml_escape(STR("\x01\n<"), &doc), 0);
	assert_string_equal(buf_cstr(&doc), "&#1;&#10;&lt;");
	CLEANUP(buf_release) struct buf small = BUF_INIT(6);
	assert_int_equal(buf_adds(&small, "k"), 0);
	assert_int_equal(xml_escape(STR("ab&"), &small), -EFBIG);
	assert_string_equal(buf_cstr(&small), "k");
}

static int note_attribute(void *arg, const char *path, const char *name, struct str value,
			  struct error *err)
{
	(void)err;
	return buf_addf(arg, "%s@%s=%.*s ", path, name, (int)value.len, value.ptr);
}

static void attributes_are_told_by_local_name(void **state)
{
	CLEANUP(buf_release) struct buf calls = BUF_INIT(4096);
	const struct xml_handler handler = { .attribute = note_attribute, .arg = &calls };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(xml_parse(STR("<a xmlns:p='u'><b Encoded=\"true\" p:x=''>t</b><c/></a>"), &handler, &err), 0);
	assert_string_equal(buf_cstr(&calls), "a/b@Encoded=true a/b@x= ");
}

static int refuse_attribute(void *arg, const char *path, const char *name, struct str value,
			    struct error *err)
{
	(void)arg, (void)path, (void)name, (void)value;
	return error_set(err, ERR_INVALID, "no");
}

static void an_attribute_may_end_the_reading(void **state)
{
	const struct xml_handler handler = { .attribute = refuse_attribute };
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(xml_parse(STR("<a><b x='1'/></a>"), &handler, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_told_by_local_name),
		cmocka_unit_test(an_attribute_may_end_the_reading),
		cmocka_unit_test(elements_come_with_their_paths_and_own_text),
		cmocka_unit_test(namespaces_and_prefixes_are_ignored),
		cmocka_unit_test(predefined_entities_references_and_cdata_become_text),
		cmocka_unit_test(other_encodings_arrive_as_utf8),
		cmocka_unit_test(every_document_type_declaration_is_refused),
		cmocka_unit_test(an_entity_bomb_is_refused_before_it_is_read),
		cmocka_unit_test(undefined_entities_are_refused),
		cmocka_unit_test(what_is_no_xml_is_refused),
		cmocka_unit_test(nesting_up_to_32_is_read_and_more_is_refused),
		cmocka_unit_test(text_and_names_are_bounded),
		cmocka_unit_test(a_big_listing_is_read_in_reasonable_time),
		cmocka_unit_test(a_handler_that_fails_ends_the_reading_with_its_error),
		cmocka_unit_test(the_first_element_of_a_path_is_found),
		cmocka_unit_test(escaped_text_comes_back_as_it_was),
	};
	return RUN(tests);
}
