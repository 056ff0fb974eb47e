/* Mail addresses, links, account names and share codes, on the folded line (lower case, half width, separators kept).
 */
#include "base/utf8.h"
#include "rule/detect.h"

enum { HOST_MAX = 253, TLD_MAX = 24, ID_MIN = 6, ID_MAX = 20, CODE_MIN = 8, CODE_MAX = 13 };

struct lines {
    const struct detect_text *t;
    struct span line;
    struct detect_list *out;
};

static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_letter(uint8_t c)
{
    return is_alnum(c) && (c < '0' || c > '9');
}

static struct detection *add(struct lines *x, enum detector kind, size_t from, size_t to)
{
    const struct folded *f = x->t->f;
    struct detection d = {.kind = (uint8_t)kind, .bfrom = f->line_from[from], .bto = f->line_to[to - 1]};
    d.from = detect_unit_at(&f->view[VIEW_PLAIN], d.bfrom);
    d.to = detect_unit_at(&f->view[VIEW_PLAIN], d.bto);
    size_t n = x->out->n;
    detect_add(x->out, d);
    return n < x->out->n ? &x->out->d[n] : NULL;
}

static bool line_has(struct span line, size_t at, const char *word)
{
    size_t n = strlen(word);
    return at <= line.n && n <= line.n - at && memcmp(line.p + at, word, n) == 0;
}

static bool is_tld(struct span label)
{
    static const char *const tlds[] = {
        "com", "cn",  "net", "org",  "top",  "vip",   "cc",      "shop", "xyz",  "me",     "io",    "co",
        "tw",  "hk",  "tv",  "app",  "link", "info",  "biz",     "club", "site", "online", "store", "live",
        "ltd", "fun", "pro", "icu",  "work", "wang",  "ren",     "mobi", "ee",   "gg",     "ly",    "us",
        "uk",  "jp",  "kr",  "sg",   "my",   "edu",   "gov",     "im",   "to",   "la",     "so",    "ws",
        "gd",  "nz",  "ai",  "dev",  "page", "space", "website", "tech", "life", "world",  "today", "group",
        "red", "ink", "win", "asia", "moe",  "cloud", "click",   "chat", "fans", "lol",    "loan",  "host",
        "xin", "ru",  "de",  "mall", "wiki", NULL};
    for (size_t i = 0; tlds[i]; i++)
        if (span_is(label, tlds[i]))
            return true;
    return false;
}

static bool is_file_ending(struct span label)
{
    static const char *const files[] = {"jpg",  "jpeg", "png",  "gif", "webp", "bmp", "pdf", "doc",
                                        "docx", "xls",  "xlsx", "ppt", "pptx", "txt", "csv", "json",
                                        "xml",  "zip",  "rar",  "apk", "exe",  "dmg", "mp3", "mp4",
                                        "html", "yaml", "md",   "psd", "dwg",  "log", NULL};
    for (size_t i = 0; files[i]; i++)
        if (span_is(label, files[i]))
            return true;
    return false;
}

/* Letters alone: it may be a top-level name, though none of the known ones. */
static bool may_be_tld(struct span label)
{
    for (size_t i = 0; i < label.n; i++)
        if (!is_letter(label.p[i]))
            return false;
    return label.n >= 2 && label.n <= TLD_MAX;
}

/* Bytes of a dot at `at`, in any of its disguises (`is_loose`: a word or with spaces, which needs a known ending). */
static size_t dot_at(struct span line, size_t at, bool *is_loose)
{
    static const char *const loose[] = {" . ",   " .",   ". ",   "(.)", "[.]", "点", " 点 ", " dot ", "(dot)",
                                        "[dot]", "(点)", "[点]", "。",  " 。", "·",  "•",    NULL};
    *is_loose = false;
    for (size_t i = 0; loose[i]; i++)
        if (line_has(line, at, loose[i]) && at + strlen(loose[i]) < line.n && is_alnum(line.p[at + strlen(loose[i])])) {
            *is_loose = true;
            return strlen(loose[i]);
        }
    return line_has(line, at, ".") && at + 1 < line.n && is_alnum(line.p[at + 1]) ? 1 : 0;
}

/* "shop . c o m": single letters with a space between them that spell a known ending. Its end, or 0. */
static size_t spaced_tld(struct span line, size_t at)
{
    uint8_t name[4];
    size_t n = 0, i = at;
    while (n < sizeof(name) && i < line.n && is_letter(line.p[i]) && (i + 1 == line.n || !is_alnum(line.p[i + 1]))) {
        name[n++] = line.p[i];
        i += 1 + (i + 2 < line.n && line.p[i + 1] == ' ' && is_letter(line.p[i + 2]));
    }
    return n > 1 && is_tld(span_of(name, n)) ? i : 0;
}

/* Reads a host name at `at`; *end is behind it. True when a known top-level name stands in it behind a dot; the host is
 * the longest one: files.shop.example, not files.shop, and report.pro.pdf is none. */
static bool read_host(struct span line, size_t at, size_t *end)
{
    size_t label = at, i = at;
    bool is_host = false;
    *end = at;
    while (i < line.n && i - at < HOST_MAX) {
        while (i < line.n && (is_alnum(line.p[i]) || (line.p[i] == '-' && i > label)))
            i++;
        if (i == label)
            break;
        struct span ending = span_of(line.p + label, i - label);
        if (is_host && is_file_ending(ending))
            is_host = false;
        else if (label > at && (is_tld(ending) || (is_host && may_be_tld(ending))))
            is_host = true, *end = i;
        bool is_loose;
        size_t dot = dot_at(line, i, &is_loose);
        if (!dot)
            break;
        if (is_loose) { /* "5点com": only when the ending is one */
            size_t k = i + dot, from = k;
            while (k < line.n && is_alnum(line.p[k]))
                k++;
            if (!is_tld(span_of(line.p + from, k - from))) {
                size_t spaced = spaced_tld(line, from);
                if (!spaced)
                    break;
                *end = spaced;
                return true;
            }
        }
        i += dot;
        label = i;
    }
    return is_host;
}

static size_t path_end(struct span line, size_t at)
{
    if (at < line.n && (line.p[at] == '/' || line.p[at] == ':' || line.p[at] == '?'))
        while (at < line.n && line.p[at] > ' ' && line.p[at] < 0x7f)
            at++;
    return at;
}

static void find_urls(struct lines *x)
{
    struct span l = x->line;
    for (size_t i = 0; i < l.n; i++) {
        bool starts_word =
            is_alnum(l.p[i]) && (i == 0 || (!is_alnum(l.p[i - 1]) && l.p[i - 1] != '-' && l.p[i - 1] != '@'));
        if (!starts_word)
            continue;
        size_t host = i, end, k = i;
        while (k < l.n && is_letter(l.p[k]))
            k++;
        bool has_scheme = k > i + 1 && line_has(l, k, "://");
        if (has_scheme) {
            host = k + 3;
            if (!read_host(l, host, &end))
                for (end = host; end < l.n && (is_alnum(l.p[end]) || l.p[end] == '.' || l.p[end] == '-');)
                    end++;
        } else if (!read_host(l, i, &end)) {
            continue;
        }
        if (end < l.n && l.p[end] == '@') /* the local part of a mail address */
            continue;
        size_t stop = path_end(l, end);
        struct detection *d = add(x, DETECT_URL, i, MAX_OF(stop, k));
        if (d)
            d->host = (uint32_t)host, d->host_len = (uint32_t)(end - host);
        i = stop > i ? stop - 1 : i;
    }
}

static void find_emails(struct lines *x)
{
    static const char *const ats[] = {"@", " @ ", "艾特", " at ", "(at)", "[at]", "#", NULL};
    struct span l = x->line;
    for (size_t i = 1; i < l.n; i++) {
        size_t at = 0, end;
        if (!is_alnum(l.p[i - 1]) || is_alnum(l.p[i]))
            continue;
        for (size_t k = 0; ats[k] && !at; k++)
            if (line_has(l, i, ats[k]))
                at = strlen(ats[k]);
        if (!at || !read_host(l, i + at, &end))
            continue;
        size_t from = i;
        while (from > 0 && (is_alnum(l.p[from - 1]) || strchr("._+-", l.p[from - 1])) && l.p[from - 1])
            from--;
        add(x, DETECT_EMAIL, from, end);
        i = end - 1;
    }
}

/* @name: a handle, unless it is the host of a mail address. */
static bool is_handle(struct span l, size_t i)
{
    return i > 0 && l.p[i - 1] == '@' && (i < 2 || !is_alnum(l.p[i - 2]));
}

/* Letters, digits, _ and -, beginning with a letter; with a digit, _ or - in it (or @ before it), so that plain words
 * are none. */
static void find_ids(struct lines *x)
{
    struct span l = x->line;
    for (size_t i = 0; i < l.n; i++) {
        size_t k = i;
        bool is_at = is_handle(l, i), has_mark = is_at;
        while (k < l.n && (is_alnum(l.p[k]) || l.p[k] == '_' || l.p[k] == '-')) {
            has_mark |= !is_letter(l.p[k]);
            k++;
        }
        if (k == i)
            continue;
        size_t n = k - i;
        while (n && l.p[i + n - 1] == '-')
            n--;
        bool is_other =
            (i > 0 && !is_at && strchr("@/.", l.p[i - 1]) && l.p[i - 1]) ||
            (k < l.n && (l.p[k] == '@' || (l.p[k] == '.' && k + 1 < l.n && is_alnum(l.p[k + 1])) || l.p[k] == '/'));
        if (n >= ID_MIN && n <= ID_MAX && is_letter(l.p[i]) && has_mark && !is_other)
            add(x, DETECT_WECHAT_ID, i, i + n);
        i = k;
    }
}

static void find_coded(struct lines *x, size_t from, size_t code, uint32_t open)
{
    struct span t = x->t->text;
    size_t k = code;
    while (k < t.n && is_alnum(t.p[k]))
        k++;
    uint32_t close = 0;
    unsigned n = k < t.n ? utf8_decode(t.p + k, t.n - k, &close) : 0;
    if (k - code < CODE_MIN || k - code > CODE_MAX)
        return;
    if (open && close != open && close != ')' && close != 0x300b && close != 0xffe5)
        return;
    struct detection d = {.kind = DETECT_SHARE_CODE, .bfrom = (uint32_t)from, .bto = (uint32_t)(k + (open ? n : 0))};
    d.from = detect_unit_at(&x->t->f->view[VIEW_PLAIN], d.bfrom);
    d.to = detect_unit_at(&x->t->f->view[VIEW_PLAIN], d.bto);
    detect_add(x->out, d);
}

/* Brackets hold names of products, too; they are codes where the text says what to do with them. */
static bool has_code_word(struct span line)
{
    static const char *const words[] = {"复制", "打开", "口令", "粘贴", "淘", NULL};
    for (size_t i = 0; words[i]; i++)
        if (memmem(line.p, line.n, words[i], strlen(words[i])))
            return true;
    return false;
}

/* The first byte of a mark, or of tk= and :/; of most texts none. */
static bool may_begin_code(uint8_t c)
{
    return c == '$' || c == '(' || c == 't' || c == ':' || c == 0xc2 || c == 0xe2 || c == 0xe3 || c == 0xef;
}

/* On the text as typed: folding would take the marks away. */
static void find_share_codes(struct lines *x)
{
    static const uint32_t marks[] = {0xa5,   0xffe5, '$',  0x20ac, 0xa3,   0x20b3,
                                     0x20b4, 0x20b0, 0xa2, 0x20a4, 0x300a, '('};
    struct span t = x->t->text;
    bool says_so = has_code_word(x->line);
    for (size_t i = 0; i < t.n; i++) {
        uint32_t cp = 0;
        if (!may_begin_code(t.p[i]))
            continue;
        unsigned n = utf8_decode(t.p + i, t.n - i, &cp);
        if (!n)
            break;
        for (size_t m = 0; m < ARRAY_LEN(marks); m++)
            if (cp == marks[m] && (says_so || (cp != '(' && cp != 0x300a)))
                find_coded(x, i, i + n, cp);
        if (cp == 't' && line_has(t, i, "tk=") && (i == 0 || !is_alnum(t.p[i - 1])))
            find_coded(x, i, i + 3, 0);
        if (cp == ':' && line_has(t, i, ":/") && i + 2 < t.n && is_alnum(t.p[i + 2]) && i > 0 && is_alnum(t.p[i - 1]))
            find_coded(x, i, i + 2, 0);
    }
}

void detect_addresses(const struct detect_text *t, struct detect_list *out)
{
    struct lines x = {t, t->f->line, out};
    find_emails(&x);
    find_urls(&x);
    find_ids(&x);
    find_share_codes(&x);
}
