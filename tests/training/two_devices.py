"""The program `vsa_tf.train` on a machine of two devices, as two GPUs would be."""

import runpy

import tensorflow as tf

if __name__ == "__main__":
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    runpy.run_module("vsa_tf.train", run_name="__main__", alter_sys=True)
