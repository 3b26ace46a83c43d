"""What stage 2 minimises: one file an objective, whose name is what `finetune.objective` takes."""
