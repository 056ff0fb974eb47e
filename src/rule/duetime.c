#include "rule/duetime.h"

#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_part.h"

static const struct {
    const char16_t *word;
    int minutes; /* 0: someday */
} vague[] =
    {
        {u"马上", 5},    {u"立刻", 5},    {u"立即", 5},     {u"立马", 5},    {u"这就", 5},      {u"请稍候", 3},
        {u"请稍等", 3},  {u"稍等", 3},    {u"稍候", 3},     {u"稍后", 30},   {u"待会儿", 30},   {u"待会", 30},
        {u"一会儿", 30}, {u"一会", 30},   {u"等下", 30},    {u"等一下", 30}, {u"等会儿", 30},   {u"等会", 30},
        {u"等一会", 30}, {u"待一会", 30}, {u"等等", 30},    {u"过一会", 30}, {u"过会", 30},     {u"随后", 30},
        {u"随即", 5},    {u"现在就", 5},  {u"阵间", 30},    {u"一阵间", 30}, {u"过两天", 2880}, {u"过几天", 4320},
        {u"尽快", 1440}, {u"尽早", 1440}, {u"回头", 0},     {u"有空", 0},    {u"到时候", 0},    {u"到时", 0},
        {u"改天", 0},    {u"晚点", 120},  {u"晚一点", 120}, {u"晚些", 120},  {u"稍晚", 120},    {u"等阵", 30},
        {u"等一阵", 30}, {u"迟啲", 120},  {u"迟点", 120},   {u"即刻", 5},    {u"这两天", 2880}, {u"这几天", 4320},
},
  english[] = {
      {u"rightaway", 5},       {u"straightaway", 5},
      {u"immediately", 5},     {u"rightnow", 5},
      {u"inamoment", 5},       {u"inaminute", 5},
      {u"inasec", 5},          {u"inasecond", 5},
      {u"onemoment", 3},       {u"justamoment", 3},
      {u"shortly", 30},        {u"inabit", 30},
      {u"inawhile", 30},       {u"assoonaspossible", 1440},
      {u"assoonasican", 1440}, {u"later", 120},
      {u"asap", 1440},         {u"soon", 1440},
};

/* What a time may be by its first character; most characters rule out all but one or two. */
enum {
    BEGINS_VAGUE = 1,
    BEGINS_DAY = 2,
    BEGINS_WEEK = 4,
    BEGINS_SPAN = 8,
    BEGINS_DATE = 16,
    BEGINS_BARE = 32,
    BEGINS_ENGLISH = 64,
    BEGINS_NUMBER = BEGINS_SPAN | BEGINS_DATE | BEGINS_BARE,
};

static unsigned begins(uint32_t cp)
{
    if (cp >= '0' && cp <= '9')
        return BEGINS_NUMBER | BEGINS_ENGLISH;
    if (cp >= 'a' && cp <= 'z')
        return BEGINS_ENGLISH;
    switch (cp) {
    case u'马':
    case u'立':
    case u'请':
    case u'稍':
    case u'待':
    case u'等':
    case u'随':
    case u'现':
    case u'阵':
    case u'尽':
    case u'回':
    case u'有':
    case u'到':
    case u'改':
    case u'迟':
    case u'即':
        return BEGINS_VAGUE;
    case u'这':
        return BEGINS_VAGUE | BEGINS_WEEK | BEGINS_DATE;
    case u'一':
        return BEGINS_VAGUE | BEGINS_NUMBER;
    case u'晚':
        return BEGINS_VAGUE | BEGINS_BARE;
    case u'今':
        return BEGINS_DAY | BEGINS_WEEK;
    case u'过':
        return BEGINS_VAGUE | BEGINS_SPAN;
    case u'大':
        return BEGINS_DAY | BEGINS_SPAN;
    case u'当':
        return BEGINS_DAY | BEGINS_DATE;
    case u'收':
    case u'放':
    case u'打':
    case u'关':
    case u'隔':
    case u'翌':
    case u'明':
    case u'次':
    case u'第':
    case u'后':
    case u'听':
        return BEGINS_DAY;
    case u'下':
        return BEGINS_DAY | BEGINS_WEEK | BEGINS_DATE | BEGINS_BARE;
    case u'上':
        return BEGINS_DAY | BEGINS_BARE;
    case u'周':
    case u'星':
    case u'礼':
        return BEGINS_WEEK;
    case u'本':
        return BEGINS_WEEK | BEGINS_DATE;
    case u'半':
    case u'不':
    case u'最':
    case u'至':
    case u'顶':
    case u'再':
        return BEGINS_SPAN;
    case u'月':
    case u'年':
        return BEGINS_DATE;
    case u'午':
    case u'晏':
    case u'朝':
    case u'夜':
    case u'凌':
    case u'早':
    case u'中':
    case u'傍':
        return BEGINS_BARE;
    case u'二':
    case u'三':
    case u'四':
    case u'五':
    case u'六':
    case u'七':
    case u'八':
    case u'九':
    case u'两':
    case u'十':
    case u'百':
    case u'几':
        return BEGINS_NUMBER;
    default:
        return 0;
    }
}

bool duetime_may_begin(uint32_t cp)
{
    return begins(cp) != 0;
}

static struct duetime soon(const struct reader *r, int64_t now_ms, int minutes)
{
    return (struct duetime){minutes ? DUETIME_SOON : DUETIME_SOMEDAY, r->at,
                            minutes ? now_ms + minutes * (int64_t)MINUTE_MS : 0};
}

static struct duetime read_vague(struct reader *r, unsigned may, int64_t now_ms)
{
    for (size_t i = 0; may & BEGINS_VAGUE && i < ARRAY_LEN(vague); i++)
        if (duetime_take(r, vague[i].word))
            return soon(r, now_ms, vague[i].minutes);
    for (size_t i = 0; may & BEGINS_ENGLISH && i < ARRAY_LEN(english); i++)
        if (duetime_take(r, english[i].word) && !(r->at < r->n && r->cp[r->at] == 't')) /* later today, tomorrow */
            return soon(r, now_ms, english[i].minutes);
    return (struct duetime){DUETIME_NONE, 0, 0};
}

static bool read_upon(struct reader *r, int64_t *due)
{
    *due = duetime_next_open(r) + HOUR_MS;
    return duetime_take(r, u"上班后");
}

static bool read_definite(struct reader *r, unsigned may, int64_t *due)
{
    static const struct {
        unsigned may;
        bool (*read)(struct reader *r, int64_t *due);
    } kinds[] = {{BEGINS_DAY, read_upon},
                 {BEGINS_DAY, duetime_read_day},
                 {BEGINS_WEEK, duetime_read_week},
                 {BEGINS_SPAN, duetime_read_span},
                 {BEGINS_DATE, duetime_read_date},
                 {BEGINS_BARE, duetime_read_bare_hour},
                 {BEGINS_ENGLISH, duetime_read_english}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        r->at = 0;
        if (may & kinds[i].may && kinds[i].read(r, due))
            return true;
    }
    return false;
}

struct duetime duetime_read(const uint32_t *cp, uint32_t n, int64_t now_ms, const struct calendar *calendar)
{
    struct duetime d = {DUETIME_NONE, 0, 0};
    int64_t due = 0;
    unsigned may = n ? begins(cp[0]) : 0;
    if (!may)
        return d;
    struct reader r = {cp, MIN_OF(n, (uint32_t)DUETIME_CHARS_MAX), 0,
                       calendar ? calendar_local_ms(calendar, now_ms) : now_ms + ZONE_MS, calendar};
    d = read_vague(&r, may, now_ms);
    if (d.kind == DUETIME_NONE && read_definite(&r, may, &due))
        d = (struct duetime){DUETIME_DEFINITE, r.at, calendar ? calendar_utc_ms(calendar, due) : due - ZONE_MS};
    return d;
}
