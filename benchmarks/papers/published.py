"""What the papers report; None where their figure is not at hand."""

#: Lu et al. 2019: share of networks that collapsed, by function and arm.
COLLAPSED = {
    ("|x|", "ReLU, He"): "> 90 %",
    ("x sin 5x", "ReLU, He"): "91.9 %",
    ("x sin 5x", "ReLU, RAI"): "29.2 %",
    ("step + 0.2 sin 5x", "ReLU, He"): "93.8 %",
    ("step + 0.2 sin 5x", "ReLU, RAI"): "32.6 %",
}

#: He et al. 2015, table 1: mean slopes with one slope for each channel. First layer:
#: the first convolution; last: the second dense layer, the 13th of 14 with weights.
FIRST_SLOPE, LAST_SLOPE = 0.596, 0.055

#: Xu et al. 2015, table 3: test error on CIFAR-10, in percent.
TEST_ERRORS = {
    "RReLU": 11.19,
    "Leaky ReLU 1/5.5": 11.20,
    "PReLU": 11.79,
    "ReLU": 12.45,
    "Leaky ReLU 1/100": 12.66,
}
