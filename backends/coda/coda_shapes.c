/*
 * What Coda's things look like to users, and where their members stand in Coda's answers.
 */
#include "backends/coda/coda.h"

#define FIELDS_END { .name = NULL }
#define MAP_END	   { .name = NULL }

static const struct record_field user_fields[] = {
	{ "id", RECORD_TEXT, "login" },
	{ "name", RECORD_TEXT, "name" },
	{ "token", RECORD_TEXT, "the name of the token" },
	{ "scoped", RECORD_BOOL, "whether the token is restricted" },
	{ "workspace_id", RECORD_TEXT, "workspace" },
	{ "workspace", RECORD_TEXT, "its name" },
	FIELDS_END,
};
const struct record_shape coda_shape_user = { "user", user_fields, "id,name,token,scoped,workspace" };
const struct record_source coda_map_user[] = {
	{ "id", "loginId" },	  { "name", "name" },		      { "token", "tokenName" },
	{ "scoped", "scoped" },	  { "workspace_id", "workspace.id" }, { "workspace", "workspace.name" },
	MAP_END,
};

static const struct record_field doc_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "title" },
	{ "owner", RECORD_TEXT, "the owner's login" },
	{ "owner_name", RECORD_TEXT, "the owner's name" },
	{ "workspace_id", RECORD_TEXT, "workspace" },
	{ "folder_id", RECORD_TEXT, "folder" },
	{ "folder", RECORD_TEXT, "the folder's name" },
	{ "published", RECORD_TEXT, "view, play or edit when it is published" },
	{ "rows", RECORD_INT, "rows of all its tables" },
	{ "tables", RECORD_INT, "tables and views" },
	{ "pages", RECORD_INT, "pages" },
	{ "source", RECORD_TEXT, "the doc it is a copy of" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ "url", RECORD_TEXT, "address for browsers" },
	{ "request_id", RECORD_TEXT, "of the change, for mutations get" },
	{ "status", RECORD_TEXT, "of the change that was waited for" },
	{ "warning", RECORD_TEXT, "what Coda says of the change" },
	FIELDS_END,
};
const struct record_shape coda_shape_doc = { "doc", doc_fields, "id,name,owner,updated,rows,tables,pages" };
const struct record_source coda_map_doc[] = {
	{ "id", "id" },
	{ "name", "name" },
	{ "owner", "owner" },
	{ "owner_name", "ownerName" },
	{ "workspace_id", "workspaceId|workspace.id" },
	{ "folder_id", "folderId|folder.id" },
	{ "folder", "folder.name" },
	{ "published", "published.mode" },
	{ "rows", "docSize.totalRowCount" },
	{ "tables", "docSize.tableAndViewCount" },
	{ "pages", "docSize.pageCount" },
	{ "source", "sourceDoc.id" },
	{ "created", "createdAt" },
	{ "updated", "updatedAt" },
	{ "url", "browserLink" },
	{ "request_id", "requestId" },
	MAP_END,
};

static const struct record_field page_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "subtitle", RECORD_TEXT, "subtitle" },
	{ "type", RECORD_TEXT, "canvas, embed or syncPage" },
	{ "hidden", RECORD_BOOL, "whether it is hidden" },
	{ "parent_id", RECORD_TEXT, "the page it is below" },
	{ "parent", RECORD_TEXT, "its name" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ "url", RECORD_TEXT, "address for browsers" },
	FIELDS_END,
};
const struct record_shape coda_shape_page = { "page", page_fields, "id,name,type,parent,hidden,updated" };
const struct record_source coda_map_page[] = {
	{ "id", "id" },		     { "name", "name" },	  { "subtitle", "subtitle" },
	{ "type", "contentType" },   { "hidden", "isHidden" },	  { "parent_id", "parent.id" },
	{ "parent", "parent.name" }, { "created", "createdAt" },  { "updated", "updatedAt" },
	{ "url", "browserLink" },    MAP_END,
};

static const struct record_field line_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "style", RECORD_TEXT, "what kind of line it is" },
	{ "level", RECORD_INT, "how far it is indented" },
	{ "content", RECORD_TEXT, "its text" },
	FIELDS_END,
};
const struct record_shape coda_shape_line = { "line", line_fields, "id,style,level,content" };
const struct record_source coda_map_line[] = {
	{ "id", "id" },
	{ "style", "itemContent.style" },
	{ "level", "itemContent.lineLevel" },
	{ "content", "itemContent.content" },
	MAP_END,
};

static const struct record_field export_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "status", RECORD_TEXT, "inProgress, complete or failed" },
	{ "format", RECORD_TEXT, "markdown or html" },
	{ "text", RECORD_TEXT, "what was exported" },
	{ "link", RECORD_TEXT, "where it can be read, for a short time" },
	{ "error", RECORD_TEXT, "why it failed" },
	FIELDS_END,
};
const struct record_shape coda_shape_export = { "export", export_fields, "id,status,format,text" };
const struct record_source coda_map_export[] = {
	{ "id", "id" }, { "status", "status" }, { "link", "downloadLink" }, { "error", "error" }, MAP_END,
};

static const struct record_field table_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "type", RECORD_TEXT, "table or view" },
	{ "rows", RECORD_INT, "rows" },
	{ "layout", RECORD_TEXT, "how it is shown" },
	{ "page_id", RECORD_TEXT, "the page it is on" },
	{ "page", RECORD_TEXT, "its name" },
	{ "parent_table_id", RECORD_TEXT, "the table of a view" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ "url", RECORD_TEXT, "address for browsers" },
	FIELDS_END,
};
const struct record_shape coda_shape_table = { "table", table_fields, "id,name,type,page,rows,updated" };
const struct record_source coda_map_table[] = {
	{ "id", "id" },		       { "name", "name" },	    { "type", "tableType" },
	{ "rows", "rowCount" },	       { "layout", "layout" },	    { "page_id", "parent.id" },
	{ "page", "parent.name" },     { "parent_table_id", "parentTable.id" }, { "created", "createdAt" },
	{ "updated", "updatedAt" },    { "url", "browserLink" },    MAP_END,
};

static const struct record_field column_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "type", RECORD_TEXT, "format of its values" },
	{ "is_list", RECORD_BOOL, "whether a cell holds several values" },
	{ "display", RECORD_BOOL, "whether it names the row" },
	{ "calculated", RECORD_BOOL, "whether a formula makes its values" },
	{ "formula", RECORD_TEXT, "the formula" },
	{ "default", RECORD_TEXT, "the default value's formula" },
	{ "format", RECORD_OBJECT, "all of the format" },
	FIELDS_END,
};
const struct record_shape coda_shape_column = { "column", column_fields, "id,name,type,display,calculated" };
const struct record_source coda_map_column[] = {
	{ "id", "id" },
	{ "name", "name" },
	{ "type", "format.type" },
	{ "is_list", "format.isArray" },
	{ "display", "display" },
	{ "calculated", "calculated" },
	{ "formula", "formula" },
	{ "default", "defaultValue" },
	{ "format", "format" },
	MAP_END,
};

static const struct record_field row_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "the value of its display column" },
	{ "index", RECORD_INT, "its place in the table" },
	{ "values", RECORD_OBJECT, "the cells, by column" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ "url", RECORD_TEXT, "address for browsers" },
	FIELDS_END,
};
const struct record_shape coda_shape_row = { "row", row_fields, "id,name,index,updated,values" };
const struct record_source coda_map_row[] = {
	{ "id", "id" },		     { "name", "name" },	 { "index", "index" },
	{ "values", "values" },	     { "created", "createdAt" }, { "updated", "updatedAt" },
	{ "url", "browserLink" },    MAP_END,
};

static const struct record_field value_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "type", RECORD_TEXT, "kind of control" },
	{ "value", RECORD_ANY, "its value" },
	{ "page_id", RECORD_TEXT, "the page it is on" },
	{ "page", RECORD_TEXT, "its name" },
	FIELDS_END,
};
const struct record_shape coda_shape_value = { "value", value_fields, "id,name,type,value,page" };
const struct record_source coda_map_formula[] = {
	{ "id", "id" },		      { "name", "name" },	 { "value", "value" },
	{ "page_id", "parent.id" },   { "page", "parent.name" }, MAP_END,
};
const struct record_source coda_map_control[] = {
	{ "id", "id" },	      { "name", "name" },	  { "type", "controlType" },
	{ "value", "value" }, { "page_id", "parent.id" }, { "page", "parent.name" }, MAP_END,
};

static const struct record_field change_fields[] = {
	{ "id", RECORD_TEXT, "the page, row or column that is changed" },
	{ "row_ids", RECORD_LIST, "the rows that are added or deleted" },
	{ "request_id", RECORD_TEXT, "of the change, for mutations get" },
	{ "status", RECORD_TEXT, "pending, or completed when it was waited for" },
	{ "warning", RECORD_TEXT, "what Coda says of the change" },
	FIELDS_END,
};
const struct record_shape coda_shape_change = { "change", change_fields, "id,row_ids,request_id,status,warning" };
static struct json_object *make_pending(struct json_object *request_id)
{
	(void)request_id; /* it is there */
	return json_object_new_string("pending");
}
const struct record_source coda_map_change[] = {
	{ "id", "id|rowId" },
	{ "row_ids", "addedRowIds|rowIds" },
	{ "request_id", "requestId" },
	{ "status", "requestId", .make = make_pending },
	MAP_END,
};

static const struct record_field mutation_fields[] = {
	{ "status", RECORD_TEXT, "pending or completed" },
	{ "warning", RECORD_TEXT, "what Coda says of the change" },
	FIELDS_END,
};
const struct record_shape coda_shape_mutation = { "mutation", mutation_fields, "status,warning" };
static const struct record_word completed_words[] = { { "true", "completed" }, { "false", "pending" }, { NULL, NULL } };
const struct record_source coda_map_mutation[] = {
	{ "status", "completed", completed_words }, { "warning", "warning" }, MAP_END,
};
