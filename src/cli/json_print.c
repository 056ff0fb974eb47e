#include "cli/json_print.h"

#include "base/xalloc.h"

void json_print_plain(FILE *to, const struct json_doc *doc, uint32_t i)
{
    struct span raw = json_raw_span(doc, i);
    if (doc->node[i].kind == JSON_NULL || span_is(raw, "\"\"")) {
        fputs("-", to);
        return;
    }
    if (doc->node[i].kind != JSON_STRING) {
        fprintf(to, "%.*s", (int)raw.n, (const char *)raw.p);
        return;
    }
    uint8_t *text = xmalloc(raw.n);
    size_t n = json_decode(doc, i, text, NULL);
    for (size_t k = 0; k < n; k++)
        if (text[k] < 0x20 || text[k] == 0x7f)
            text[k] = '?'; /* what a peer wrote must not drive the terminal */
    fwrite(text, 1, n, to);
    free(text);
}

static bool is_plain(const struct json_doc *doc, uint32_t i)
{
    return doc->node[i].kind != JSON_OBJECT && doc->node[i].kind != JSON_ARRAY;
}

static bool is_plain_list(const struct json_doc *doc, uint32_t i)
{
    if (doc->node[i].kind != JSON_ARRAY)
        return false;
    for (uint32_t k = i + 1; k < doc->node[i].next; k = doc->node[k].next)
        if (!is_plain(doc, k))
            return false;
    return true;
}

static void print_list_line(FILE *to, const struct json_doc *doc, uint32_t i)
{
    if (doc->node[i].n == 0)
        fputs("none", to);
    for (uint32_t k = i + 1; k < doc->node[i].next; k = doc->node[k].next) {
        fputs(k == i + 1 ? "" : ", ", to);
        json_print_plain(to, doc, k);
    }
}

/* The cursor stands behind `indent` spaces already when is_first. Depth is bounded by JSON_DEPTH_MAX. */
static void print_value(FILE *to, const struct json_doc *doc, uint32_t i, int indent, bool is_first)
{
    const struct json_node *node = &doc->node[i];
    if (node->kind == JSON_ARRAY && !is_plain_list(doc, i)) {
        for (uint32_t k = i + 1; k < node->next; k = doc->node[k].next) {
            fprintf(to, "%*s- ", is_first ? 0 : indent, "");
            print_value(to, doc, k, indent + 2, true);
            is_first = false;
        }
        return;
    }
    if (node->kind != JSON_OBJECT) {
        if (is_plain(doc, i))
            json_print_plain(to, doc, i);
        else
            print_list_line(to, doc, i);
        fputs("\n", to);
        return;
    }
    for (uint32_t k = i + 1; k < node->next;) {
        uint32_t value = doc->node[k].next;
        bool is_inline = is_plain(doc, value) || is_plain_list(doc, value) || doc->node[value].n == 0;
        fprintf(to, "%*s", is_first ? 0 : indent, "");
        json_print_plain(to, doc, k);
        fputs(is_inline ? ": " : ":\n", to);
        if (doc->node[value].kind == JSON_OBJECT && is_inline)
            fputs("none\n", to);
        else if (is_inline)
            print_value(to, doc, value, 0, true);
        else
            print_value(to, doc, value, indent + 2, false);
        is_first = false;
        k = doc->node[value].next;
    }
}

void json_print(FILE *to, const struct json_doc *doc, uint32_t i)
{
    if (i)
        print_value(to, doc, i, 0, false);
}

void json_print_answer(FILE *to, const struct json_doc *doc)
{
    for (uint32_t k = 1; k < doc->node[0].next;) {
        uint32_t value = doc->node[k].next;
        if (json_is(doc, k, span_str("ok"))) {
            k = doc->node[value].next;
            continue;
        }
        if (is_plain(doc, value)) {
            json_print_plain(to, doc, k);
            fputs(": ", to);
        }
        print_value(to, doc, value, 0, false);
        k = doc->node[value].next;
    }
}

void json_print_errors(FILE *to, const struct json_doc *doc)
{
    uint32_t errors = json_member(doc, 0, span_str("errors")), error = json_member(doc, 0, span_str("error"));
    for (uint32_t k = errors + 1; errors && k < doc->node[errors].next; k = doc->node[k].next) {
        json_print_plain(to, doc, k);
        fputs("\n", to);
    }
    if (error) {
        fputs("chatgate: ", to);
        json_print_plain(to, doc, error);
        fputs("\n", to);
    }
}
