"""What `import robgan_tf` offers: trained runs to be used, and accuracy under attack."""
