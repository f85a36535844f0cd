"""Fully convolutional networks (Long et al. 2014; Shelhamer et al. 2017).

skip.py      FCN-32s, FCN-16s and FCN-8s: scores of several strides, joined coarse to fine
vgg16.py     the trunk of the paper, VGG16 with fc6 and fc7 as convolutions
surgery.py   weights carried into them: from a VGG16 classifier, and from a coarser FCN
dilated.py   one head on a dilated encoder, as torchvision builds it
"""
