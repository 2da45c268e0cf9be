"""What people read: Rich texts of plans, explanations and findings. Pure; nothing is computed here."""
