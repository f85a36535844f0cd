"""Pure `keras.ops` functions with static shapes, shared by the other parts."""
