"""The part of the build that pyproject.toml cannot say: gin/ becomes robgan_tf/gin.

gin/ stays at the top of the repository, where people look for it, and has no __init__.py: it would
hide the library of that name.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["robgan_tf", "robgan_tf.*"]), "robgan_tf.gin"],
    package_dir={"robgan_tf.gin": "gin"},
    package_data={
        "robgan_tf": ["py.typed"],
        "robgan_tf.data.preparation": ["*.txt"],
        "robgan_tf.gin": ["*.gin", "*/*.gin"],
    },
)
