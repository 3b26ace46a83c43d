"""Networks of the finetune command: each module is one, and its name is what gin takes."""
