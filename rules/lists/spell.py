#!/usr/bin/python3
"""Writes the lists *_spelled.txt: words whose characters are replaced by their parts (split.txt) or by look-alikes
(lookalike.txt). Run it after one of these files or the words below changed; the result is committed.

A word becomes one line of alternatives, (返|辶反|反)(现|王见|观): the engine spells it out when it loads the list. Words
that would have more than 512 spellings keep the look-alikes of their first characters only."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))

# List (without _spelled.txt) to the words that carry a rule of that family.
WORDS = {
    "ask": "加微信 加我微信 加一下微信 加个微信 添加微信 加扣扣 加个扣扣 留个微信 扫码加 加好友 私聊 加企鹅 "
           "加薇信",
    "im": "微信 微信号 微信群 扣扣",
    "pay": "转账 打款 汇款 付款",
    "pay_strong": "线下付款 线下转账 线下支付 线下付 线下给 私下 私下转账 支付宝转账 转账给我 支付宝转 微信转账 "
                  "收款码 不走平台 走线下 脱离平台 补差价转 微信转 线下成交 线下结算",
    "receive": "银行卡号 收款码 支付宝号 支付宝账号",
    "code": "二维码 公众号 进群 加群 微信群 扫码进群",
    "shop": "微店 闲鱼 拼多多 转转",
    "arrival": "到付",
    "fake": "补单 刷单",
    "zui": "最",
    "adj": "佳 优 优秀 低价 便宜 高级",
    "first": "第一",
    "claim": "全网第一 全国第一 行业第一 第一品牌 销量第一 排名第一 独一无二 全网独家 全国独家 全网首发 "
             "全国首发 全网首家 全国首家 全网最低 全国最低 全网最便宜 史上最低 史上最低价 国家级 世界级 顶级 "
             "顶尖 极品 最后一波 驰名商标 领导品牌 遥遥领先 世界领先 首屈一指 绝无仅有 史无前例 前无古人 "
             "空前绝后 无与伦比 国家免检 宇宙级 全球级 缔造者 领袖品牌 销量冠军 仅此一次 仅此一款 随时涨价 "
             "错过再等一年 全球首创 全国冠军 世界第一 天下第一 质量免检 填补国内空白 行业领先 国际领先",
    "rating": "好评 五星 五颗星 五星好评 晒图 晒单 追评 全五分 好评返现 满分 晒图返现 五分 带图 买家秀",
    "bad_rating": "差评 中评",
    "benefit": "返现 返红包 红包 送券 返券 补贴 现金 赠品 礼品 奖励 优惠券 返钱 返利 送礼 抽奖 免单 减免 话费 "
               "小礼物 返现金",
    "insult": "傻逼 傻子 傻叉 脑残 变态 神经病 贱人 贱货 泼妇 白痴 弱智 智障 混蛋 废物 猪头 蠢货 蠢猪 穷鬼 "
              "乡巴佬 王八蛋 滚蛋 去死 不要脸 烦不烦 狗屎 畜生 操你 婊子 傻比 傻缺 笨蛋 蠢驴 猪脑子 畜牲 杂种 "
              "人渣 败类 流氓 无赖 无耻 下贱 犯贱 穷逼 土包子 土鳖 屌丝 滚开 滚远点 没素质 没教养 丑八怪 死胖子 "
              "肥猪 二百五 他妈的 妈的 狗东西 狗娘养的 老不死 窝囊废 饭桶 装逼 贱婢 骚货 臭婊子 王八 草泥马 "
              "脑瘫 低能儿",
    "insult_soft": "垃圾 骗子 脸皮",
    "sure": "一定 保证 肯定 绝对 承诺 必到 百分百 必须 必定 担保 包退 保修 准时 永久 百分之百",
    "returns": "随时退 无条件退 随时可退 无条件 假一赔十 终身保修 终身免费 无条件退换 根治 治愈 药到病除 零风险 "
               "无副作用",
    "bad": "假货 劣质 次品 骗子 垃圾 智商税 高仿 山寨 翻新 假的 仿品 冒牌 坑人 黑心 虚标 抄袭 倒闭 烂货 "
           "质量差 三无 有毒 超标",
}


def read(name):
    table = {}
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        for line in f:
            part = line.split()
            if part and not line.startswith("#"):
                table.setdefault(part[0], []).extend(part[1:])
    return table


def spell(word, tables):
    """(a|b)(c|d) within the 512 spellings that an entry may have."""
    room, out = 512, ""
    for c in word:
        forms = [c]
        for table in tables:
            forms += [v for v in table.get(c, []) if v not in forms and not set(v) & set("()|")]
        while len(forms) > 1 and len(forms) > room:
            forms.pop()
        room //= len(forms)
        out += "(" + "|".join(forms) + ")" if len(forms) > 1 else c
    return out


def main():
    tables = [read("split.txt"), read("lookalike.txt")]
    for name, words in WORDS.items():
        with open(os.path.join(HERE, name + "_spelled.txt"), "w", encoding="utf-8") as f:
            f.write("# Made by spell.py from split.txt and lookalike.txt; do not edit.\n")
            for word in words.split():
                f.write(spell(word, tables) + "\n")


if __name__ == "__main__":
    main()
