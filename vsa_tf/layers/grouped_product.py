"""Rows times a matrix that their group has."""

from keras import ops

_BLOCK = 32


def grouped_product(rows, groups, matrices):
    """Computes `rows[n] @ matrices[groups[n]]` for every n.

    Rows of a group are put together in blocks of 32, each block is one matrix product. All sizes
    depend on N and G alone, never on how the rows are spread over groups: the function compiles,
    and costs at most N / 32 + G products of a block.

    Args:
        rows: float `[N, D]`.
        groups: int `[N]`, 0..G - 1.
        matrices: float `[G, D, H]`, of static shape.

    Returns:
        float `[N, H]`.

    Example:

    >>> import numpy as np
    >>> matrices = np.float32([[[1, 0]], [[0, 10]]])
    >>> np.array(grouped_product(np.float32([[3], [4]]), np.array([1, 0]), matrices)).tolist()
    [[0.0, 30.0], [4.0, 0.0]]
    """
    num_groups, size, units = matrices.shape
    num_rows = ops.shape(rows)[0]
    # Full blocks, and at most one that is not for each group.
    num_blocks = num_rows // _BLOCK + num_groups

    groups = ops.cast(groups, "int32")
    member = ops.equal(ops.expand_dims(groups, 1), ops.arange(num_groups, dtype="int32"))
    member = ops.cast(member, "int32")
    counts = ops.sum(member, axis=0)
    blocks = (counts + _BLOCK - 1) // _BLOCK
    end = ops.cumsum(blocks)
    position = ops.sum(ops.cumsum(member, axis=0) * member, axis=1) - 1
    slots = ops.take((end - blocks) * _BLOCK, groups, axis=0) + position

    filled = ops.scatter(ops.expand_dims(slots, 1), rows, (num_blocks * _BLOCK, size))
    filled = ops.reshape(filled, (num_blocks, _BLOCK, size))
    block = ops.expand_dims(ops.arange(num_blocks, dtype="int32"), 1)
    block_group = ops.sum(ops.cast(block >= ops.expand_dims(end, 0), "int32"), axis=1)
    # Blocks left over hold zeros: any matrix will do.
    block_group = ops.minimum(block_group, num_groups - 1)
    products = ops.matmul(filled, ops.take(matrices, block_group, axis=0))
    products = ops.reshape(products, (num_blocks * _BLOCK, units))
    return ops.take(products, slots, axis=0)
