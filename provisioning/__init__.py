"""The phone line as desired state: one file, planned, applied, explained and watched for drift."""
