"""The palette: colors come from here and from nowhere else.

So whoever embeds a figure can exchange them.
"""

#: Text and lines.
INK, MUTED, LINE = "#22262d", "#666d78", "#dcdad4"
#: Each verdict; after Okabe & Ito's palette, which the color-blind can tell apart, with
#: a muted color for healthy units.
VERDICTS = {
    "dead": "#c9472b",
    "leaking": "#e8a33d",
    "dormant": "#9a6fb8",
    "linear": "#3f8fc5",
    "alive": "#a3b8be",
    "not_finite": "#23262c",
}
#: What a picture without verdicts is drawn in.
ACCENT = "#2f7f93"
#: From 0 to 1; its ends can be distinguished from both a light and a dark page.
SCALE = ("#17395c", "#2c6d92", "#5fa8ba", "#bfe6df")
#: Color of "never" in a heat map.
NEVER = "#e4572e"
