#include "rule/duetime.h"

#include "base/span.h"
#include "rule/calendar.h"
#include "rule/duetime_part.h"

/* Minutes, 0: someday. */
static const struct duetime_meaning vague[] = {
    {u"马上", 5},    {u"立刻", 5},    {u"立即", 5},     {u"立马", 5},    {u"这就", 5},      {u"请稍候", 3},
    {u"请稍等", 3},  {u"稍等", 3},    {u"稍候", 3},     {u"稍后", 30},   {u"待会儿", 30},   {u"待会", 30},
    {u"一会儿", 30}, {u"一会", 30},   {u"等下", 30},    {u"等一下", 30}, {u"等会儿", 30},   {u"等会", 30},
    {u"等一会", 30}, {u"待一会", 30}, {u"等等", 30},    {u"过一会", 30}, {u"过会", 30},     {u"随后", 30},
    {u"随即", 5},    {u"现在就", 5},  {u"阵间", 30},    {u"一阵间", 30}, {u"过两天", 2880}, {u"过几天", 4320},
    {u"尽快", 1440}, {u"尽早", 1440}, {u"回头", 0},     {u"有空", 0},    {u"到时候", 0},    {u"到时", 0},
    {u"改天", 0},    {u"晚点", 120},  {u"晚一点", 120}, {u"晚些", 120},  {u"稍晚", 120},    {u"等阵", 30},
    {u"等一阵", 30}, {u"迟啲", 120},  {u"迟点", 120},   {u"即刻", 5},    {u"这两天", 2880}, {u"这几天", 4320},
    {NULL, 0}};
static const struct duetime_meaning english[] = {{u"rightaway", 5},
                                                 {u"straightaway", 5},
                                                 {u"immediately", 5},
                                                 {u"rightnow", 5},
                                                 {u"inamoment", 5},
                                                 {u"inaminute", 5},
                                                 {u"inasec", 5},
                                                 {u"inasecond", 5},
                                                 {u"onemoment", 3},
                                                 {u"justamoment", 3},
                                                 {u"shortly", 30},
                                                 {u"inabit", 30},
                                                 {u"inawhile", 30},
                                                 {u"assoonaspossible", 1440},
                                                 {u"assoonasican", 1440},
                                                 {u"later", 120},
                                                 {u"asap", 1440},
                                                 {u"soon", 1440},
                                                 {NULL, 0}};

/* What a time may be by its first character; most characters rule out all but one or two. */
enum {
    MAY_VAGUE = 1,
    MAY_DAY = 2,
    MAY_WEEK = 4,
    MAY_SPAN = 8,
    MAY_DATE = 16,
    MAY_BARE = 32,
    MAY_ENGLISH = 64,
    MAY_NUMBER = MAY_SPAN | MAY_DATE | MAY_BARE,
};

/* In the order of their code points. */
static const struct {
    char16_t cp;
    uint8_t may;
} beginnings[] = {{u'一', MAY_VAGUE | MAY_NUMBER},
                  {u'七', MAY_NUMBER},
                  {u'三', MAY_NUMBER},
                  {u'上', MAY_DAY | MAY_BARE},
                  {u'下', MAY_DAY | MAY_WEEK | MAY_DATE | MAY_BARE},
                  {u'不', MAY_SPAN},
                  {u'两', MAY_NUMBER},
                  {u'中', MAY_BARE},
                  {u'九', MAY_NUMBER},
                  {u'二', MAY_NUMBER},
                  {u'五', MAY_NUMBER},
                  {u'今', MAY_DAY | MAY_WEEK},
                  {u'傍', MAY_BARE},
                  {u'八', MAY_NUMBER},
                  {u'六', MAY_NUMBER},
                  {u'关', MAY_DAY},
                  {u'再', MAY_SPAN},
                  {u'凌', MAY_BARE},
                  {u'几', MAY_NUMBER},
                  {u'到', MAY_VAGUE},
                  {u'十', MAY_NUMBER},
                  {u'午', MAY_BARE},
                  {u'半', MAY_SPAN},
                  {u'即', MAY_VAGUE},
                  {u'后', MAY_DAY},
                  {u'听', MAY_DAY},
                  {u'周', MAY_WEEK},
                  {u'四', MAY_NUMBER},
                  {u'回', MAY_VAGUE},
                  {u'夜', MAY_BARE},
                  {u'大', MAY_DAY | MAY_SPAN},
                  {u'尽', MAY_VAGUE},
                  {u'年', MAY_DATE},
                  {u'当', MAY_DAY | MAY_DATE},
                  {u'待', MAY_VAGUE},
                  {u'打', MAY_DAY},
                  {u'收', MAY_DAY},
                  {u'改', MAY_VAGUE},
                  {u'放', MAY_DAY},
                  {u'早', MAY_BARE},
                  {u'明', MAY_DAY},
                  {u'星', MAY_WEEK},
                  {u'晏', MAY_BARE},
                  {u'晚', MAY_VAGUE | MAY_BARE},
                  {u'最', MAY_SPAN},
                  {u'月', MAY_DATE},
                  {u'有', MAY_VAGUE},
                  {u'朝', MAY_BARE},
                  {u'本', MAY_WEEK | MAY_DATE},
                  {u'次', MAY_DAY},
                  {u'现', MAY_VAGUE},
                  {u'百', MAY_NUMBER},
                  {u'礼', MAY_WEEK},
                  {u'稍', MAY_VAGUE},
                  {u'立', MAY_VAGUE},
                  {u'第', MAY_DAY},
                  {u'等', MAY_VAGUE},
                  {u'翌', MAY_DAY},
                  {u'至', MAY_SPAN},
                  {u'请', MAY_VAGUE},
                  {u'过', MAY_VAGUE | MAY_SPAN},
                  {u'这', MAY_VAGUE | MAY_WEEK | MAY_DATE},
                  {u'迟', MAY_VAGUE},
                  {u'阵', MAY_VAGUE},
                  {u'随', MAY_VAGUE},
                  {u'隔', MAY_DAY},
                  {u'顶', MAY_SPAN},
                  {u'马', MAY_VAGUE}};

static unsigned begins(uint32_t cp)
{
    if (cp >= '0' && cp <= '9')
        return MAY_NUMBER | MAY_ENGLISH;
    if (cp >= 'a' && cp <= 'z')
        return MAY_ENGLISH;
    size_t from = 0, to = ARRAY_LEN(beginnings);
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (beginnings[middle].cp == cp)
            return beginnings[middle].may;
        if (beginnings[middle].cp < cp)
            from = middle + 1;
        else
            to = middle;
    }
    return 0;
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
    int minutes = may & MAY_VAGUE ? duetime_take_meaning(r, vague) : -1;
    if (minutes >= 0)
        return soon(r, now_ms, minutes);
    minutes = may & MAY_ENGLISH ? duetime_take_meaning(r, english) : -1;
    if (minutes >= 0 && !(r->at < r->n && r->cp[r->at] == 't')) /* later today, tomorrow */
        return soon(r, now_ms, minutes);
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
    } kinds[] = {{MAY_DAY, read_upon},
                 {MAY_DAY, duetime_read_day},
                 {MAY_WEEK, duetime_read_week},
                 {MAY_SPAN, duetime_read_span},
                 {MAY_DATE, duetime_read_date},
                 {MAY_BARE, duetime_read_bare_hour},
                 {MAY_ENGLISH, duetime_read_english}};
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
