"""What people say: short sentences in many scripts and in Slack's own markup. No real person's words."""

PLAIN = (
    "The build is green again",
    "Can somebody look at the report before noon?",
    "Lunch at half past twelve",
    "I moved the meeting to Thursday",
    "Deploy finished, watching the graphs",
    "Thanks, that fixed it",
    "The customer asked for the invoice once more",
    "Who owns this alert?",
    "Let us keep the old flag for one more release",
    "Numbers of last week are in the sheet",
)

SCRIPTS = (
    "会議は明日の午後三時からです",
    "リリースの準備ができました、確認をお願いします",
    "تم إصلاح الخطأ في النظام، شكرا للجميع",
    "हम कल सुबह नई रिपोर्ट भेजेंगे",
    "Das Größenmaß ist übermäßig, naïveté déjà vu",
    "Привет, сборка упала на тестах",
    "오늘 배포는 취소되었습니다",
    "שלום לכולם, הגרסה מוכנה",
    "สวัสดีครับ รายงานเสร็จแล้ว",
    "👩🏽‍💻 shipped 🚀 and celebrated 🎉🎉",
    "Zażółć gęślą jaźń",
    "𝒜strał plane: 𠮷野家 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "Non\u00a0breaking\u00a0space, soft\u00adhyphen, ﬁ ligature",
)

MARKUP = (
    "*bold* and _italic_ and ~struck~ and `code`",
    "```\ndef answer():\n    return 6 * 7\n```",
    "> quoted line\nand the reply below it",
    "• first\n• second\n• third",
    "if a &lt; b &amp;&amp; c &gt; d then &amp;amp; stays",
    "<!here> the office closes early, <!channel> please note",
    "See <https://docs.example.com/guide?a=1&amp;b=2|the guide> and <https://example.com>",
    "Write to <mailto:team@example.com|team@example.com>",
    "Due <!date^1700000000^{date_short} at {time}|14 Nov 2023>, ask <!subteam^S0123456789|@ops>",
)

TOPICS = ("", "Questions and answers", "リリース計画", "What goes out this week", "Ne pas déranger")

CHANNEL_NAMES = (
    "general", "random", "engineering", "support", "sales-emea", "プロジェクト", "incidents", "design", "équipe-paris",
    "hiring", "finance", "release-train", "خدمة-العملاء", "ops", "legal", "customers-acme", "lunch", "data",
)  # fmt: skip

PEOPLE = (
    "Ada Okafor", "Grace Lindqvist", "山田 太郎", "Zoë Müller", "Łukasz Żak", "فاطمة الزهراء", "अर्जुन शर्मा",
    "Nguyễn Thị Hà", "Олена Шевченко", "João da Silva", "Siobhán Ó Briain", "김민준", "Maria-José Peña", "דוד לוי",
    "Aarav Patel", "Chloé Dubois", "Björk Jónsdóttir", "Kwame Mensah", "Wei Zhang", "Sam Lee",
)  # fmt: skip

BOTS = ("deploybot", "calendar", "alerts", "ci")

EMOJI = ("thumbsup", "tada", "eyes", "white_check_mark", "heart", "rocket::skin-tone-3")
