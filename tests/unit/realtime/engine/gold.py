# ruff: noqa: RUF001 - Chinese commas are meant
"""Texts with known key sentences, written for these tests.

Each opens with an anecdote and comes to its point late, so that a summary made of the
first sentences misses it. The numbers name the sentences that a reader would keep.
"""

ENGLISH = (
    "Marta Olsen unlocked the pump house at dawn, as she has done for eleven years.",
    "She made coffee and fed the cat that lives under the stairs.",
    "A ferry horn sounded twice in the fog.",
    "Her father had the same keys before her.",
    "On the wall hangs a calendar with pictures of lighthouses.",
    "The radio was playing an old song about the sea.",
    (
        "The harbour flood barrier will be rebuilt after the storm surge of last winter "
        "overtopped it three times."
    ),
    "Nobody had swept the floor since Friday.",
    (
        "Engineers found that the old barrier is 60 centimetres too low for the surges "
        "now expected once in ten years."
    ),
    (
        "The new flood barrier will be 4.2 metres high and can be closed within 20 "
        "minutes of a storm surge warning."
    ),
    "Two gulls were quarrelling on the roof.",
    (
        "The city will pay 85 million euros for the flood barrier, and the state will "
        "pay the other half of the cost."
    ),
    "Marta keeps a photograph of her first dog in the drawer.",
    (
        "Fishermen fear that the new barrier will close the harbour on 30 more days a "
        "year and want the city to pay for lost catches."
    ),
    "Lunch was a sandwich with too much mustard.",
    (
        "Work on the flood barrier begins in March and is to end before the storm surge "
        "season of the following year."
    ),
    "In the evening she locked the door and walked home along the quay.",
)
ENGLISH_KEYS = frozenset({6, 8, 9, 11, 13, 15})

CHINESE = (
    "清晨六点，李师傅像往常一样骑车去上班。",
    "路边的早餐摊冒着热气，他买了两个包子。",
    "收音机里放着一首老歌。",
    "他的孙女今年刚上小学。",
    "办公室的窗台上摆着一盆绿萝。",
    "水务局宣布，老城区的供水管网将全部更换，以解决长期漏水的问题。",
    "昨天下午下了一场小雨。",
    "检测发现，老城区供水管网的漏水率高达百分之三十一，每年流失约两千万吨自来水。",
    "同事讲了一个关于钓鱼的笑话。",
    "新的供水管网总长四百二十公里，采用球墨铸铁管，设计使用年限为五十年。",
    "更换供水管网共需投资十八亿元，其中六成由市财政承担，其余来自专项债券。",
    "楼下的猫又生了一窝小猫。",
    "部分居民担心施工期间停水，水务局承诺每次停水不超过八小时并提前三天通知。",
    "中午食堂的红烧肉卖完了。",
    "供水管网更换工程将于明年三月开工，预计三年内完成，届时漏水率将降到百分之八以下。",
    "傍晚，李师傅骑车回家，天边还有一抹晚霞。",
)
CHINESE_KEYS = frozenset({5, 7, 9, 10, 12, 14})
